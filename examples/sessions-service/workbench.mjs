/**
 * What users have here: a folder each, files in it, and runs of these.
 *
 * Invariants: a file has one run at a time; its lock is given back once, by the end of the run, whoever asked for that end and however often.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFeed } from 'troupe';

const LANGUAGES = { py: 'python', js: 'javascript' };
const USER = /^[a-z0-9_]{1,32}$/i;
const FILE = /^\w[\w-]{0,63}\.(py|js)$/;

/** How long whoever lost his connection has to come back before what he runs is ended, ms. */
const ABSENT_MS = 3_000;

/** What a client did wrong. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Workbench {
  #executor;
  #locks;
  #folder;
  #users = new Map();

  constructor({ executor, locks, folder }) {
    this.#executor = executor;
    this.#locks = locks;
    this.#folder = folder;
  }

  async user(name) {
    if (!USER.test(name)) throw new Refused(400, 'a user name is letters, digits and _');
    const known = this.#users.get(name);
    if (known !== undefined) return known;
    const folder = join(this.#folder, name);
    await mkdir(folder, { recursive: true });
    const user = { name, folder, feed: createFeed({ name, capacity: 1_000 }), runs: new Map(), streams: 0 };
    this.#users.set(name, this.#users.get(name) ?? user);
    return this.#users.get(name);
  }

  async list(user) {
    return (await readdir(user.folder)).filter((name) => FILE.test(name)).sort();
  }

  read(user, file) {
    return readFile(this.#path(user, file), 'utf8');
  }

  /** Saves a file and runs it; resolves when the run has begun. */
  async run(user, file, code) {
    const path = this.#path(user, file);
    const lock = await this.#locks.acquire(`${user.name}:${file}`);
    try {
      await writeFile(path, code);
      const session = await this.#session(user, file);
      const execution = session.execute(code, { kind: 'script', filename: path, timeoutMs: 60_000 });
      const run = { id: execution.id, file, session, execution };
      user.runs.set(run.id, run);
      run.over = this.#follow(user, run).finally(() => lock.release());
      return run.id;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  input(user, id, request, text) {
    return user.runs.get(id)?.session.input(request, text) ?? false;
  }

  /** Asks a run to end, by force if it must be; resolves when it has. `false`: there is no such run. */
  async stop(user, id) {
    const run = user.runs.get(id);
    if (run === undefined) return false;
    const asked = run.execution.cancel('stopped by its user');
    await run.over;
    return asked;
  }

  /** Somebody looks at what this user does, until the returned function is called; a while after the last has gone, what runs is ended. */
  watch(user) {
    user.streams += 1;
    clearTimeout(user.leaving);
    return () => {
      user.streams -= 1;
      if (user.streams === 0) user.leaving = setTimeout(() => this.#close(user), ABSENT_MS).unref();
    };
  }

  #close(user) {
    for (const session of this.#executor.sessions()) if (session.user === user.name) void session.close();
  }

  async #session(user, file) {
    const id = `${user.name}-${file}`;
    const [, ending] = FILE.exec(file);
    const known = this.#executor.find(id);
    if (known !== undefined && !known.inspect().over) return known;
    return this.#executor.session({ id, language: LANGUAGES[ending], user: user.name, cwd: user.folder });
  }

  /** Tells of all that a run does, to whoever watches. */
  async #follow(user, run) {
    const tell = (event, data) =>
      user.feed.publish({ event, data: { run: run.id, file: run.file, ...data } });
    tell('begun', {});
    try {
      for await (const { kind, at: _, ...event } of run.execution) {
        if (kind === 'result') tell('ended', { exitCode: event.result.exitCode ?? 0 });
        else if (kind === 'error') tell('ended', wordsOf(event.error));
        else if (kind !== 'audit') tell(kind, event);
      }
    } finally {
      user.runs.delete(run.id);
    }
  }

  #path(user, file) {
    if (!FILE.test(file))
      throw new Refused(400, 'a file name is letters, digits, _ and -, and ends in .py or .js');
    return join(user.folder, file);
  }
}

const wordsOf = ({ code, message, data }) => ({
  code,
  why: code === 'ERR_EXECUTION_FAILED' ? data.traceback || `${data.type}: ${data.text}` : message,
});
