/**
 * Running an application as the whole of an OS process: signals, stray errors, the exit code.
 *
 * Invariant: handlers are installed for as long as it runs and removed afterwards; embedding without `run()` installs none.
 * A forced exit logs synchronously: nothing asynchronous is trusted at that point.
 */
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import process from 'node:process';
import { show } from '../base/errors.ts';
import { either, fits, listOf, ms, oneOf, resolveOptions, text } from '../base/options.ts';
import { currentOwner } from '../kernel/async-context.ts';
import { isClean } from '../kernel/reason.ts';
import type { TreeNode } from '../kernel/tree.ts';
import type { Application } from './application.ts';
import { recordingFolder, writeRecording } from './recording-file.ts';
import type { StopReport } from './stop-report.ts';

/** Options of `application(tree).run()`. */
export interface RunOptions {
  /** Signals that begin the end. Default SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[];
  /**
   * What an error does that reaches only the process (a floating rejection, a throw in a timer). `'shutdown'`: the phased end
   * and exit 1. `'end_actor'`: ends the incarnation it belongs to (needs `context: 'async'`), without an owner the former.
   * Default `'shutdown'`.
   */
  readonly strayErrors?: 'shutdown' | 'end_actor';
  /** How long the process may take to end by itself once all is closed, ms. Then it is told to. Default 1,000. */
  readonly exitGraceMs?: number;
  /**
   * Where the flight recorder's file goes when the root gave up, the start failed, or the exit is forced; `false` writes none.
   * The folder is made if its parent is there.
   * `troupe explore <file>` opens it. Default: the folder `troupe-<user>` in the system's temporary folder.
   */
  readonly recordings?: string | false;
}

/** The exit codes of `run()`. */
export const EXIT = Object.freeze({ clean: 0, failed: 1, survivors: 3, signalled: 128 });

const UNCATCHABLE: readonly string[] = ['SIGKILL', 'SIGSTOP'];

const FIELDS = {
  signals: listOf(
    fits<NodeJS.Signals>(
      'a signal that a process can catch',
      (value) => Object.hasOwn(constants.signals, value as string) && !UNCATCHABLE.includes(value as string),
      'signals that a process can catch',
    ),
  ),
  strayErrors: oneOf('shutdown', 'end_actor'),
  exitGraceMs: ms(0),
  recordings: either(
    text,
    fits<false>('false', (value) => value === false),
  ),
};

const STDERR = 2;

const shout = (words: Readonly<Record<string, unknown>>): void => {
  try {
    writeSync(STDERR, `${JSON.stringify({ level: 'fatal', ...words })}\n`);
  } catch {
    // stderr is gone; there is nobody left to tell.
  }
};

const describe = (error: unknown): string =>
  error instanceof Error && error.stack !== undefined ? error.stack : show(error);

const strayWords = (contained: boolean): Readonly<Record<string, string>> =>
  contained ? { level: 'error', msg: 'stray error: its actor is ended' } : { msg: 'stray error' };

/** What Node says keeps the process alive, stdio aside. */
const holdingOn = (): readonly string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => !/^(TTYWrap|PipeWrap|FSReqCallback|Immediate)$/.test(name));

type Recorder = (why: 'gave_up' | 'forced_exit') => string | undefined;

/** Surrenders that follow each other so closely are one, ms: those above give up in turn. */
const SURRENDER_MS = 1_000;

/** Writes what is recorded, once: what came first says most. */
const recorderOf = (app: Application, folder: string | false): Recorder => {
  if (folder === false) return () => undefined;
  let recorded = false;
  let before: { readonly at: number; readonly tree: readonly TreeNode[] } | undefined;
  let last: readonly TreeNode[] | undefined;
  // When the file is written nothing stands any more: what matters is how it stood before it fell.
  app.events.on('supervisor.gave_up', ({ at }) => {
    if (before === undefined || at - before.at > SURRENDER_MS) before = { at, tree: app.tree() };
  });
  app.events.on('app.phase_entered', ({ at, leftMs }) => {
    if (leftMs === undefined || last !== undefined) return;
    last = before !== undefined && at - before.at <= SURRENDER_MS ? before.tree : app.tree();
  });
  return (why) => {
    if (recorded) return undefined;
    recorded = true;
    // Who is still there when the exit is forced is what is asked for then.
    const tree = why === 'gave_up' ? last : undefined;
    return writeRecording(folder, app.system, { name: app.name, why, tree });
  };
};

/** What went wrong is said and recorded; with survivors the process ends at once. */
const sayHowItEnded = (
  app: Application,
  { survivors }: StopReport,
  { code, record }: { readonly code: number; readonly record: Recorder },
): void => {
  const recording = code === EXIT.failed ? record('gave_up') : undefined;
  if (recording !== undefined)
    shout({ level: 'error', msg: 'what happened is recorded', app: app.name, recording });
  if (survivors.length === 0) return;
  shout({ msg: 'survivors at the deadline', app: app.name, survivors, recording: record('forced_exit') });
  process.exit(code);
};

/** Lets the process end by itself, for a while; what is left then is said. */
const endProcess = (
  app: Application,
  code: number,
  { record, exitGraceMs }: { readonly record: Recorder; readonly exitGraceMs: number },
): void => {
  app.system.host.timer(
    exitGraceMs,
    'exit',
    () => {
      shout({
        msg: 'something keeps the process alive after all was closed',
        app: app.name,
        holding: holdingOn(),
        recording: record('forced_exit'),
      });
      process.exit(code === EXIT.clean ? EXIT.survivors : code);
    },
    { unref: true },
  );
};

export const runApplication = async (
  app: Application,
  boot: () => Promise<void>,
  options: RunOptions,
): Promise<StopReport> => {
  const { signals, strayErrors, exitGraceMs, recordings } = resolveOptions(
    'application.run',
    options,
    FIELDS,
    {
      signals: ['SIGTERM', 'SIGINT'] as readonly NodeJS.Signals[],
      strayErrors: 'shutdown' as const,
      exitGraceMs: 1_000,
      recordings: recordingFolder() as string | false,
    },
  );
  const record = recorderOf(app, recordings);
  let signalled = false;
  let failed = false;
  const onSignal = (signal: NodeJS.Signals) => {
    app.events.emit('app.signalled', { path: app.name, signal });
    if (signalled) {
      shout({
        msg: 'second signal: exiting at once',
        signal,
        app: app.name,
        recording: record('forced_exit'),
      });
      process.exit(EXIT.signalled + constants.signals[signal]);
    }
    signalled = true;
    void app.stop();
  };
  const onStray = (error: unknown) => {
    const owner = currentOwner();
    app.events.emit('app.stray_error', { path: app.name, owner: owner?.path, error });
    const contained = strayErrors === 'end_actor' && owner !== undefined && app.system.isAlive(owner);
    shout({ ...strayWords(contained), app: app.name, owner: owner?.path, error: describe(error) });
    if (contained) return app.system.end(owner, { error });
    failed = true;
    void app.stop({ error });
  };
  for (const signal of signals) process.on(signal, onSignal);
  process.on('uncaughtException', onStray);
  process.on('unhandledRejection', onStray);
  const booted = boot().then(
    () => undefined,
    (error: unknown) => error,
  );
  const report = await app.stopped;
  const bootError = await booted;
  if (bootError !== undefined && !isClean(report.reason))
    shout({ msg: 'the application did not start', app: app.name, error: describe(bootError) });
  for (const signal of signals) process.off(signal, onSignal);
  process.off('uncaughtException', onStray);
  process.off('unhandledRejection', onStray);
  const code =
    failed || !isClean(report.reason)
      ? EXIT.failed
      : report.survivors.length > 0
        ? EXIT.survivors
        : EXIT.clean;
  process.exitCode = code;
  sayHowItEnded(app, report, { code, record });
  endProcess(app, code, { record, exitGraceMs });
  return report;
};
