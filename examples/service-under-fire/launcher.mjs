/**
 * The main job: runs a service on troupe and its upstream as OS processes of their own, puts the service under load,
 * attacks it with real faults from a seeded schedule, and checks that nothing was lost.
 *
 * It is deliberately no user of troupe: what it believes, it saw from outside.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startAttack } from './attacker.mjs';
import { judge } from './checker.mjs';
import { Client } from './client.mjs';
import { collectCorpus } from './corpus.mjs';
import { createRunFolder, StartFailed, startService, Upstream } from './crew.mjs';
import { countOrphans, shutDown } from './finale.mjs';
import { Ledger } from './ledger.mjs';
import { startListener } from './listener.mjs';
import { startLoad } from './load.mjs';
import { createObserver } from './observer.mjs';
import { HELP, parseOptions, UsageError } from './options.mjs';
import { createRandom } from './random.mjs';
import { createResult, summaryLines } from './report.mjs';
import { Scene } from './scene.mjs';
import { CALM_MS, createSchedule } from './schedule.mjs';
import { createScreen } from './screen.mjs';
import { Story } from './story.mjs';

const DEFAULT_INPUT = fileURLToPath(new URL('../../node_modules', import.meta.url));
const EXIT = { ok: 0, failed: 1, usage: 2, SIGINT: 130, SIGTERM: 143 };
/** Nothing of a Ctrl-C that a terminal and npm both deliver is taken for a second one. */
const SECOND_SIGNAL_AFTER_MS = 500;

/** Which languages the workers are of. */
const chooseWorkers = (asked) => {
  const python = spawnSync('python3', ['--version']).status === 0;
  if (asked === 'python' && !python)
    throw new UsageError('--worker python needs python3, which is not on the PATH');
  return asked ?? (python ? 'mixed' : 'node');
};

/** Resolves with the first signal; a second one, later, ends the launcher at once. */
const listenForSignals = () => {
  let firstAt;
  let resolveFirst;
  const first = new Promise((resolve) => {
    resolveFirst = resolve;
  });
  const state = { first, signal: undefined };
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      const now = performance.now();
      if (firstAt !== undefined && now - firstAt > SECOND_SIGNAL_AFTER_MS) process.exit(EXIT[signal]);
      firstAt ??= now;
      state.signal ??= signal;
      resolveFirst(signal);
    });
  }
  return state;
};

/** What was not all right among the requests that were sent in the calm. */
const watchCalm = (client, calmAt) => {
  const faults = [];
  const stop = client.listen((fact) => {
    if (fact.sentAt < calmAt) return;
    if (fact.kind === 'document' && fact.outcome !== 'succeeded') {
      faults.push(`a document (${fact.purpose}) ended ${fact.outcome}: ${fact.why}`);
    }
    if (fact.kind === 'price' && !fact.ok) faults.push(`a price was not served: ${fact.why}`);
    if (fact.kind === 'price' && fact.fallback) faults.push('a fallback price was served');
  });
  return { faults, stop };
};

/** Until the time is over, and for as long as it is to be kept; or until a signal or a crash. */
const playOut = async ({ options, service, signals, calm, story, endAt }) => {
  const over = new AbortController();
  const sleep = (ms) => delay(Math.max(0, ms), undefined, { signal: over.signal }).catch(() => {});
  const crashed = service.exited.then(({ code, signal }) => `the service ended with ${signal ?? code}`);
  await Promise.race([sleep(endAt - performance.now()), signals.first, crashed]);
  calm.stop();
  if (options.keep && signals.signal === undefined) {
    const { host, port } = service.address;
    story.enter(`the service stays up at http://${host}:${port} until Ctrl-C`);
    await Promise.race([signals.first, crashed]);
  }
  over.abort();
};

/** The whole run, on a service that is ready. */
const perform = async ({ options, corpus, service, upstream, folder, screen, workers, signals }) => {
  const ledger = new Ledger();
  const client = new Client({ address: service.address, ledger });
  const observer = createObserver({ client, servicePid: service.pid });
  const random = createRandom(options.seed, 'attack');
  const scene = new Scene({ client, corpus, observer, upstream, service, folder, random });
  await observer.until(observer.isWhole, 10_000);

  const startedAt = performance.now();
  const endAt = startedAt + options.seconds * 1_000;
  const calmAt = endAt - CALM_MS;
  const listener = startListener({ address: service.address });
  const load = startLoad({ client, corpus, seed: options.seed });
  const calm = watchCalm(client, calmAt);
  const schedule = createSchedule(options.seed, options.seconds);
  const attack = startAttack({ schedule, scene, startedAt, calmAt });
  const story = new Story({ options, workers, screen, ledger, client, observer, attack, startedAt });

  await playOut({ options, service, signals, calm, story, endAt });
  const interrupted = signals.signal !== undefined && performance.now() < endAt;
  attack.callOff();
  if (interrupted) story.enter(`${signals.signal}: draining`);
  else await attack.finished;

  story.enter('SIGTERM');
  const parties = { scene, service, client, load, observer };
  const shutdown = await shutDown(parties, { withFarewells: !interrupted });
  await attack.finished;
  await observer.stop();
  await listener.stop();
  const orphans = await countOrphans({ observer, folder });
  story.end(shutdown);

  const status = service.said.findLast((message) => message.stopped)?.status ?? observer.status();
  const facts = {
    seconds: options.seconds,
    strikes: attack.strikes,
    documents: ledger.counts,
    words: ledger.words,
    violations: [...ledger.violations, ...listener.violations],
    events: listener.heard,
    lost: ledger.lost.length,
    calm: calm.faults,
    gaveUp: (status?.recoveries?.gaveUp ?? 0) + (status?.gaveUp ?? 0),
    shutdown,
    orphans,
  };
  const failures = interrupted ? [`the run was broken off by ${signals.signal}`] : judge(facts);
  const { requests } = client;
  const { strikes, events } = facts;
  const result = createResult({
    failures,
    options,
    strikes,
    ledger,
    requests,
    events,
    status,
    shutdown,
    orphans,
  });
  return { result, failures, strikes, shutdown, interrupted };
};

const main = async (args) => {
  const options = parseOptions(args);
  if (options.help) {
    console.log(HELP);
    return EXIT.ok;
  }
  const workers = chooseWorkers(options.worker);
  const corpus = await collectCorpus({
    folder: options.input ?? DEFAULT_INPUT,
    named: options.input !== undefined,
  });
  const signals = listenForSignals();
  const screen = createScreen({ output: process.stdout, environment: process.env });
  const folder = await createRunFolder();
  const upstream = new Upstream();
  // Its log is wanted by whoever has to find out what went wrong, a failed start included.
  let kept = true;
  try {
    await upstream.start();
    const service = await startService({ folder, upstreamPort: upstream.port, worker: workers });
    screen.line(
      `troupe, service under fire: seed ${options.seed}, ${options.seconds} s, ${workers} workers, ` +
        `${corpus.documents.length} documents of ${Math.round(corpus.bytes / 1_024)} KiB, service pid ${service.pid}`,
    );
    // Its address opens it, commands included: what programs read and keep is no place for that.
    if (options.json) console.error(`explorer ${service.explorer}`);
    else screen.line(`explorer ${service.explorer}`);
    const outcome = await perform({ options, corpus, service, upstream, folder, screen, workers, signals });
    screen.stop();
    for (const line of summaryLines({ ...outcome, paint: screen.paint })) screen.line(line);
    kept = !outcome.result.ok && !outcome.interrupted;
    if (kept) screen.line(`    the service's log: ${folder.logPath}`);
    if (options.json) console.log(JSON.stringify(outcome.result));
    if (outcome.interrupted) return EXIT[signals.signal];
    return outcome.result.ok ? EXIT.ok : EXIT.failed;
  } finally {
    screen.stop();
    await upstream.stop();
    if (!kept) await folder.remove();
  }
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\nTry --help.`);
    process.exitCode = EXIT.usage;
  } else {
    console.error(error instanceof StartFailed ? error.message : error);
    process.exitCode = EXIT.failed;
  }
}
