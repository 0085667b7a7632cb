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
  stdio?: unknown;
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
  for (const name of ['spawnSync', 'execFileSync', 'execSync']) {
    const original = module[name] as (...given: unknown[]) => unknown;
    const captured = (...given: unknown[]): unknown => {
      const at = given.findIndex((each, i) => i > 0 && isOptions(each));
      const options = (at === -1 ? {} : given[at]) as SpawnOptions;
      const redirected = redirect(options.stdio, 'pipe');
      if (redirected === undefined) return original(...given);
      const replaced = { ...options, stdio: redirected.stdio };
      const changed = at === -1 ? [...given, replaced] : given.map((each, i) => (i === at ? replaced : each));
      return name === 'spawnSync'
        ? printSpawned(original(...changed) as SpawnSyncReturns<Buffer>, redirected, print)
        : printExecuted(() => original(...changed), redirected, print);
    };
    Object.defineProperty(captured, 'name', { value: name, configurable: true });
    module[name] = captured;
  }
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

/** What succeeds gives its standard output; what fails says all it printed in the error. */
const printExecuted = (act: () => unknown, redirected: Redirected, print: Print): unknown => {
  const prints = redirected.printed.find(([position]) => position === 1);
  try {
    const output = act() as string | Uint8Array | null;
    if (prints === undefined) return output;
    if (output !== null && output.length > 0) print(prints[1], output);
    return null;
  } catch (error) {
    if (Array.isArray((error as { output?: unknown }).output))
      printSpawned(error as SpawnSyncReturns<Buffer>, redirected, print);
    throw error;
  }
};
