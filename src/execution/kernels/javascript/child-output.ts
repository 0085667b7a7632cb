/**
 * What the user's subprocesses print, where they would inherit descriptors 1 and 2: it becomes output of the execution. Their input,
 * where they would inherit it, is empty, since descriptor 0 is the lifeline.
 *
 * Invariant: whoever asked for `inherit` sees no streams on the child, as ever. What is started by native code or by another process
 * is not seen; its output goes to the service as printed lines.
 */
import childProcess, { type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import type { Stream } from './output.ts';

type Print = (stream: Stream, data: string | Uint8Array) => void;
interface SpawnOptions {
  readonly stdio?: unknown;
  readonly shell?: unknown;
}

const STREAMS: readonly (Stream | undefined)[] = [undefined, 'stdout', 'stderr'];

/** Where a descriptor of the child would lead to one of ours: which. */
const inherited = (setting: unknown, position: number): number | undefined => {
  if (setting === 'inherit') return position <= 2 ? position : undefined;
  const descriptor =
    typeof setting === 'number' ? setting : (setting as { fd?: unknown } | null | undefined)?.fd;
  return descriptor === 0 || descriptor === 1 || descriptor === 2 ? descriptor : undefined;
};

interface Redirected {
  readonly stdio: unknown[];
  /** The child's descriptors whose data is to be printed, and as what. */
  readonly printed: readonly (readonly [position: number, stream: Stream])[];
}

const redirect = (stdio: unknown, without: unknown): Redirected | undefined => {
  const given: unknown[] = Array.isArray(stdio)
    ? [...(stdio as unknown[])]
    : [0, 1, 2].map(() => stdio ?? without);
  const printed: [number, Stream][] = [];
  let touched = false;
  given.forEach((setting, position) => {
    const ours = inherited(setting, position);
    if (ours === undefined) return;
    touched = true;
    const stream = STREAMS[ours];
    given[position] = stream === undefined ? 'ignore' : 'pipe';
    if (stream !== undefined) printed.push([position, stream]);
  });
  return touched ? { stdio: given, printed } : undefined;
};

export const captureChildren = (print: Print): void => {
  captureSpawn(print);
  captureSync(print);
  syncBuiltinESMExports();
};

/** Every asynchronous way to start a process goes through here. */
const captureSpawn = (print: Print): void => {
  const prototype = childProcess.ChildProcess.prototype as unknown as {
    spawn(this: ChildProcess, options: SpawnOptions): unknown;
  };
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    const redirected = redirect(options.stdio, 'pipe');
    if (redirected === undefined) return spawn.call(this, options);
    const result = spawn.call(this, { ...options, stdio: redirected.stdio });
    const child = this as unknown as Record<string, unknown> & ChildProcess;
    for (const [position, stream] of redirected.printed) {
      child.stdio[position]?.on('data', (data: Buffer) => print(stream, data));
      child.stdio[position]?.on('error', () => {});
      (child.stdio as unknown[])[position] = null;
      const name = STREAMS[position];
      if (name !== undefined) child[name] = null;
    }
    return result;
  };
};

const captureSync = (print: Print): void => {
  const module = childProcess as unknown as Record<string, (...given: unknown[]) => unknown>;
  const spawnSync = module['spawnSync'] as (...given: unknown[]) => SpawnSyncReturns<Buffer>;
  for (const name of ['spawnSync', 'execFileSync', 'execSync']) {
    const original = module[name] as (...given: unknown[]) => unknown;
    const captured = (...given: unknown[]): unknown => {
      const options = (given.find((each, i) => i > 0 && isOptions(each)) ?? {}) as SpawnOptions;
      const redirected = redirect(options.stdio, 'pipe');
      if (redirected === undefined) return original(...given);
      const shell = name === 'execSync' ? { shell: options.shell ?? true } : {};
      const changed = { ...options, ...shell, stdio: redirected.stdio };
      const args = Array.isArray(given[1]) ? given[1] : [];
      const done = printSpawned(spawnSync(given[0], args, changed), redirected, print);
      if (name === 'spawnSync') return done;
      mustSucceed(done, [String(given[0]), ...args.map(String)].join(' '));
      return done.stdout;
    };
    Object.defineProperty(captured, 'name', { value: name, configurable: true });
    module[name] = captured;
  }
};

/** As `execSync` has it: what failed is thrown, with all that is known of it. */
const mustSucceed = (done: SpawnSyncReturns<Buffer | string>, command: string): void => {
  if (done.error !== undefined) throw Object.assign(done.error, done);
  if (done.status === 0) return;
  const said = done.stderr === null || done.stderr === undefined ? '' : `\n${String(done.stderr)}`;
  throw Object.assign(new Error(`Command failed: ${command}${said}`), done);
};

const isOptions = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const printSpawned = (
  done: SpawnSyncReturns<Buffer | string>,
  { printed }: Redirected,
  print: Print,
): SpawnSyncReturns<Buffer | string> => {
  const told = done as unknown as Record<string, unknown>;
  for (const [position, stream] of printed) {
    const data = done.output?.[position];
    if (data !== null && data !== undefined && data.length > 0) print(stream, data);
    if (done.output !== null) (done.output as unknown[])[position] = null;
    const name = STREAMS[position];
    if (name !== undefined) told[name] = null;
  }
  return done;
};
