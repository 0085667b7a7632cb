/**
 * The other two OS processes of a run, the service and its upstream: starting them, killing them, and the folder
 * they leave traces in.
 *
 * Invariant: whatever ends the launcher, they end as well: both hold the other end of a pipe or channel of its.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_LIMIT_MS = 30_000;
/** Lines of the service's log that tell why it did not start. */
const LOG_LINES_SHOWN = 12;

/** A process of the run did not start; the message says all there is to say. */
export class StartFailed extends Error {}

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

/** A folder of this run alone: marks of documents, and the service's log. */
export const createRunFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'troupe-under-fire-'));
  return {
    path,
    logPath: join(path, 'service.log'),
    remove: () => rm(path, { recursive: true, force: true }),
  };
};

const limited = (promise, limitMs, what) => {
  let timer;
  const limit = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new StartFailed(`${what} within ${limitMs} ms`)), limitMs);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
};

/** An upstream process that does not listen yet. */
const startStandby = () => {
  const child = spawn(process.execPath, [file('upstream.mjs')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const failed = once(child, 'exit').then(([code]) => {
    throw new StartFailed(`the upstream exited with ${code} while it started`);
  });
  failed.catch(() => {});
  const started = limited(
    Promise.race([once(child, 'message'), failed]),
    START_LIMIT_MS,
    'the upstream did not start',
  );
  started.catch(() => {});
  return { child, started };
};

const tell = async (child, message) => {
  const answered = once(child, 'message');
  child.send(message);
  const [answer] = await answered;
  return answer;
};

const end = async (child, signal) => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
};

/**
 * The upstream, on one port for the whole run. A second process stands by, so that how long a killed one is missed is
 * up to the attack, and not to how fast this machine starts processes.
 */
export class Upstream {
  #standby = startStandby();
  #child;
  port = 0;

  /** Starts it, or starts it again after {@link kill}. */
  async start() {
    const { child, started } = this.#standby;
    await started;
    this.#child = child;
    const { listening } = await tell(child, { listen: this.port });
    this.port = listening;
    this.#standby = startStandby();
  }

  kill() {
    return end(this.#child, 'SIGKILL');
  }

  /** @param {'healthy' | 'hanging' | 'failing'} mode */
  become(mode) {
    return tell(this.#child, { become: mode });
  }

  /** Asks it directly, past the service: the status, or a word for having none. */
  probe(patienceMs) {
    return new Promise((resolve) => {
      const call = request({ host: '127.0.0.1', port: this.port, path: '/prices/probe', agent: false });
      const patience = setTimeout(() => {
        resolve('silent');
        call.destroy();
      }, patienceMs);
      const answer = (value) => {
        clearTimeout(patience);
        resolve(value);
      };
      call.on('response', (response) => {
        response.resume();
        answer(response.statusCode);
      });
      call.on('error', () => answer('unreachable'));
      call.end();
    });
  }

  async stop() {
    await Promise.all([this.#child, this.#standby.child].map((child) => child && end(child, 'SIGKILL')));
  }
}

/**
 * Starts the service and waits until it is ready to be used.
 *
 * @param {{ folder: { path: string, logPath: string }, upstreamPort: number, worker: string, entry?: string }} options
 */
export const startService = async ({ folder, upstreamPort, worker, entry = file('service.mjs') }) => {
  const child = spawn(process.execPath, [entry], {
    // A group of its own: a Ctrl-C in the terminal is the launcher's, who then stops the service in order.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      UPSTREAM_URL: `http://127.0.0.1:${upstreamPort}`,
      WORKERS: worker,
      TROUPE_DEMO_FAULTS: '1',
      TROUPE_DEMO_FOLDER: folder.path,
    },
  });
  child.stderr.pipe(createWriteStream(folder.logPath));
  const exited = new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, at: performance.now() }));
  });
  const said = [];
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise((resolve) => {
    lines.on('line', (line) => {
      const message = parse(line);
      if (message === undefined) return;
      said.push(message);
      if (message.ready) resolve(message);
    });
  });
  const early = exited.then(({ code, signal }) => {
    const lines = readFileSync(folder.logPath, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
    const ended = `the service ended with ${signal ?? `exit code ${code}`} before it was ready`;
    throw new StartFailed([`${ended}; the end of its log, ${folder.logPath}:`, ...lines].join('\n'));
  });
  const { port, explorer } = await limited(
    Promise.race([ready, early]),
    START_LIMIT_MS,
    `the service was not ready; its log is ${folder.logPath};`,
  );
  early.catch(() => {});
  return {
    pid: child.pid,
    address: { host: '127.0.0.1', port },
    /** Where to watch it and drive it; what stands behind the # lets in whoever has it. */
    explorer,
    /** Lines of JSON that it printed, the last one being its report when it stopped. */
    said,
    /** Resolves when it has ended and its output is read: exit code or signal, and when. */
    exited,
    running: () => child.exitCode === null && child.signalCode === null,
    signal: (signal) => child.kill(signal),
  };
};

const parse = (line) => {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
};
