/**
 * Stands before the real clock, timers and chance while a simulation runs: whoever reaches for one is stopped with a
 * stack that names him, and the run fails even where the error was swallowed.
 *
 * Invariant: outside of a guarded simulation every global is exactly what it was. XState's own uses (ids of delayed events,
 * `startedAt`, the timeout of `waitFor`) are answered by the simulated host; test runners, fast-check and Node itself
 * are let through. It leaves promise jobs and ticks alone: V8 and Node run them in order.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';

type AnyFunction = (...args: never[]) => unknown;

/** What a guarded name gives XState instead. */
type Substitute = (host: Host, ...args: readonly never[]) => unknown;

/** A function that is stood before: where it hangs, its name there, and how people call it. */
interface Door {
  readonly owner: object;
  readonly key: string;
  readonly name: string;
  readonly substitute?: Substitute;
}

/** A simulation under guard. */
export interface LeakGuard {
  /** The leaks so far, with the stacks of the culprits. */
  readonly leaks: readonly TroupeError[];
  /** Rejections that nobody handled, while it stood. */
  readonly strays: readonly unknown[];
  end(): void;
}

interface Standing {
  readonly host: Host;
  readonly leaks: TroupeError[];
  readonly strays: unknown[];
}

/** Frames that are read to find the culprit. */
const FRAMES_READ = 12;
const XSTATE_FRAME = /[\\/]node_modules[\\/]xstate[\\/]/;
/** What drives the simulation, or reports on it, and Node itself. */
const LET_THROUGH = new RegExp(
  [
    'node:internal|\\(node:|at node:',
    '[\\\\/]node_modules[\\\\/](?:vitest|@vitest|tinypool|birpc|chai|vite|tsx|esbuild|fast-check|pure-rand)[\\\\/]',
  ].join('|'),
);

const standing = new Set<Standing>();

const asTimer = (host: Host, run: () => void, delayMs = 0): Timer =>
  host.timer(delayMs, 'global timer of xstate', run);
const isOurs = (timer: unknown): timer is Timer => typeof (timer as Timer | undefined)?.cancel === 'function';

const DOORS: readonly Door[] = [
  { owner: Date, key: 'now', name: 'Date.now()', substitute: (host) => host.wall() },
  { owner: performance, key: 'now', name: 'performance.now()', substitute: (host) => host.monotonic() },
  { owner: Math, key: 'random', name: 'Math.random()', substitute: (host) => host.random.next() },
  { owner: globalThis, key: 'setTimeout', name: 'setTimeout()', substitute: asTimer as Substitute },
  { owner: globalThis, key: 'setInterval', name: 'setInterval()' },
  { owner: globalThis, key: 'setImmediate', name: 'setImmediate()' },
  { owner: timers, key: 'setTimeout', name: 'setTimeout() of node:timers' },
  { owner: timers, key: 'setInterval', name: 'setInterval() of node:timers' },
  { owner: timers, key: 'setImmediate', name: 'setImmediate() of node:timers' },
  { owner: timersPromises, key: 'setTimeout', name: 'setTimeout() of node:timers/promises' },
  { owner: timersPromises, key: 'setImmediate', name: 'setImmediate() of node:timers/promises' },
  { owner: timersPromises, key: 'setInterval', name: 'setInterval() of node:timers/promises' },
  { owner: process, key: 'hrtime', name: 'process.hrtime()' },
  { owner: AbortSignal, key: 'timeout', name: 'AbortSignal.timeout()' },
  { owner: crypto, key: 'randomUUID', name: 'crypto.randomUUID()' },
  { owner: crypto, key: 'randomBytes', name: 'crypto.randomBytes()' },
  { owner: crypto, key: 'randomInt', name: 'crypto.randomInt()' },
  {
    owner: Object.getPrototypeOf(globalThis.crypto) as object,
    key: 'randomUUID',
    name: 'crypto.randomUUID()',
  },
  {
    owner: Object.getPrototypeOf(globalThis.crypto) as object,
    key: 'getRandomValues',
    name: 'crypto.getRandomValues()',
  },
];

/** The first frame that says where it is, above `door`: whoever called. */
const callerOf = (door: Function): string => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES_READ;
  const seen: { stack?: string } = {};
  Error.captureStackTrace(seen, door);
  Error.stackTraceLimit = limit;
  const frames = (seen.stack ?? '').split('\n').slice(1);
  return frames.find((frame) => frame.includes('at ')) ?? '';
};

/** Whom the call comes from: a stranger is a leak. */
const judge = (door: Function): 'stranger' | 'xstate' | 'let_through' => {
  const caller = callerOf(door);
  if (XSTATE_FRAME.test(caller)) return 'xstate';
  return caller === '' || LET_THROUGH.test(caller) ? 'let_through' : 'stranger';
};

const refuse = (what: string): never => {
  const error = createError('ERR_SIMULATION_LEAK', { what });
  for (const { leaks } of standing) leaks.push(error);
  throw error;
};

const guarded = ({ name, substitute }: Door, original: AnyFunction): AnyFunction => {
  const call = function (this: unknown, ...args: never[]): unknown {
    const [first] = standing;
    if (first !== undefined) {
      const verdict = judge(call);
      if (verdict === 'xstate' && substitute !== undefined) return substitute(first.host, ...args);
      if (verdict === 'stranger') refuse(name);
    }
    return Reflect.apply(original, this, args);
  };
  // `hrtime.bigint`, `setTimeout[util.promisify.custom]`: what hangs on the original hangs on this one.
  return Object.defineProperties(call, Object.getOwnPropertyDescriptors(original)) as AnyFunction;
};

/** Cancelling leaks nothing; a timer that XState was given by the host is cancelled there. */
const clearing = (original: typeof clearTimeout): typeof clearTimeout =>
  ((timer: NodeJS.Timeout | undefined) =>
    isOurs(timer) ? timer.cancel() : original(timer)) as typeof clearTimeout;

/** `new Date()` and `Date()` tell the time; `new Date(0)` does not. */
const guardedDate = (): DateConstructor => {
  const construct = (target: DateConstructor, args: unknown[], newTarget: Function): object => {
    const [first] = standing;
    if (first === undefined || args.length > 0) return Reflect.construct(target, args, newTarget) as object;
    const verdict = judge(construct);
    if (verdict === 'stranger') refuse('new Date()');
    return Reflect.construct(target, verdict === 'xstate' ? [first.host.wall()] : args, newTarget) as object;
  };
  return new Proxy(Date, { construct });
};

const onStray = (reason: unknown): void => {
  for (const { strays } of standing) strays.push(reason);
};

let installations = 0;
let uninstall: (() => void) | undefined;

const install = (): (() => void) => {
  const originals = DOORS.map((door) => ({
    door,
    was: Object.getOwnPropertyDescriptor(door.owner, door.key),
  }));
  for (const { door, was } of originals) {
    const original = (door.owner as Record<string, AnyFunction>)[door.key];
    if (original === undefined) continue;
    const plain = { configurable: true, enumerable: was?.enumerable ?? true, writable: true };
    Object.defineProperty(door.owner, door.key, { ...plain, value: guarded(door, original) });
  }
  const { Date: realDate, clearTimeout: realClear } = globalThis;
  globalThis.Date = guardedDate();
  globalThis.clearTimeout = clearing(realClear);
  process.on('unhandledRejection', onStray);
  syncBuiltinESMExports();
  return () => {
    globalThis.Date = realDate;
    globalThis.clearTimeout = realClear;
    for (const { door, was } of originals) {
      if (was === undefined) Reflect.deleteProperty(door.owner, door.key);
      else Object.defineProperty(door.owner, door.key, was);
    }
    process.off('unhandledRejection', onStray);
    syncBuiltinESMExports();
  };
};

/**
 * Puts the doors in place, without guarding anything yet: for a campaign of many runs, because to place them costs more than
 * a run. Returns the function that takes them away again.
 */
export const placeDoors = (): (() => void) => {
  if (installations === 0) uninstall = install();
  installations += 1;
  let placed = true;
  return () => {
    if (!placed) return;
    placed = false;
    installations -= 1;
    if (installations === 0) uninstall?.();
  };
};

/**
 * Guards a simulation until `end()`: real time, timers and chance throw ERR_SIMULATION_LEAK in the culprit and are kept in
 * `leaks`.
 */
export const guardGlobals = (host: Host): LeakGuard => {
  const removeDoors = placeDoors();
  const own: Standing = { host, leaks: [], strays: [] };
  standing.add(own);
  return {
    leaks: own.leaks,
    strays: own.strays,
    end: () => {
      standing.delete(own);
      removeDoors();
    },
  };
};
