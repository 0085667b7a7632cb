/**
 * Finds what a piece of code leaves behind: Node's timers, sockets, servers, OS processes and threads, timers of troupe's host, tasks
 * of closed scopes, and listeners on whatever is named.
 *
 * Invariant: only what was made while the code ran, and still lives when it is over and the loop has turned, counts; each is named
 * with the place where it was made. It ends nothing. Checks do not run at once: they would find each other's.
 */
import { createHook } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import process from 'node:process';
import { createError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { fits, flag, fn, object, resolveOptions } from '../base/options.ts';
import { HOST_ALARM, realHost } from '../base/real-host.ts';
import { takeCensus } from '../coordination/task-census.ts';
import { type LiveResource, WatchedHost } from '../coordination/watched-host.ts';

/** Something that was left behind. */
export type FoundLeak = Pick<LiveResource, 'kind' | 'name' | 'origin'>;

/** What the code under check is given. */
export interface LeakCheck {
  /** A host whose timers, processes and sockets, and whose scopes' tasks, are looked at too. */
  readonly host: Host;
}

export interface LeakCheckOptions {
  /** What the host stands on: a `SimulatedHost`, for one. Default: the real one. */
  readonly host?: Host;
  /** Whose listeners are looked at. Default: the process. */
  readonly emitters?: readonly EventEmitter[];
  /** Whether what does not keep the process alive counts. Default `false`. */
  readonly unref?: boolean;
  /** What may stay. Default: nothing. */
  readonly allow?: (leak: FoundLeak) => boolean;
}

/** Node's own names of what holds something. */
const KINDS: Readonly<Record<string, LiveResource['kind']>> = {
  Timeout: 'timer',
  TCPWRAP: 'socket',
  PIPEWRAP: 'socket',
  UDPWRAP: 'socket',
  TCPSERVERWRAP: 'server',
  PIPESERVERWRAP: 'server',
  PROCESSWRAP: 'child_process',
  WORKER: 'thread',
  FSEVENTWRAP: 'listener',
  STATWATCHER: 'listener',
};

/** Turns of the loop in which what was ended may come to its end. */
const TURNS = 5;
const FRAMES_READ = 30;
/** Node itself, and what is installed, such as what runs tests. */
const NOT_THE_MAKER = /node:|<anonymous>|[\\/]node_modules[\\/]/;

/** Who called `below`, of the frames that are somebody's code: by function, since bundlers and source maps rename files. */
const originAbove = (below: Function): string | undefined => {
  const limit = Error.stackTraceLimit;
  const seen: { stack?: string } = {};
  Error.stackTraceLimit = FRAMES_READ;
  Error.captureStackTrace(seen, below);
  Error.stackTraceLimit = limit;
  const frames = (seen.stack ?? '').split('\n').slice(1);
  return frames
    .find((frame) => !NOT_THE_MAKER.test(frame))
    ?.trim()
    .replace(/^at /, '');
};

interface Handle {
  hasRef?(): boolean;
  readonly [HOST_ALARM]?: true;
}

interface Seen extends FoundLeak {
  readonly resource: Handle;
}

/** Notes what Node makes, from now until it is stopped. */
const watchNode = (withUnref: boolean) => {
  const seen = new Map<number, Seen>();
  const init = (id: number, type: string, _trigger: number, resource: object): void => {
    const kind = KINDS[type];
    if (kind === undefined) return;
    seen.set(id, { kind, name: type, origin: originAbove(init), resource });
  };
  const hook = createHook({
    init,
    destroy: (id) => void seen.delete(id),
  }).enable();
  return {
    stop: () => hook.disable(),
    left: (): readonly FoundLeak[] =>
      [...seen.values()]
        // The host's one real timer stands for many, which are looked at one by one.
        // What nobody's code made is Node's own.
        .filter(({ resource, origin }) => origin !== undefined && resource[HOST_ALARM] !== true)
        .filter(({ resource }) => withUnref || resource.hasRef?.() !== false)
        .map(({ kind, name, origin }) => ({ kind, name, origin })),
  };
};

/** Notes listeners that are added, from now until it is stopped. */
const watchListeners = (emitters: readonly EventEmitter[]) => {
  const watched = emitters.map((emitter) => {
    const added: {
      readonly event: string | symbol;
      readonly listener: unknown;
      readonly origin: string | undefined;
    }[] = [];
    const onNew = (event: string | symbol, listener: unknown): void => {
      added.push({ event, listener, origin: originAbove(onNew) });
    };
    emitter.on('newListener', onNew);
    const left = (): readonly FoundLeak[] =>
      added
        .filter(({ event, listener }) => emitter.listeners(event).some((each) => each === listener))
        .map(({ event, origin }) => ({ kind: 'listener', name: String(event), origin }));
    return { left, stop: () => void emitter.off('newListener', onNew) };
  });
  return {
    stop: () => {
      for (const { stop } of watched) stop();
    },
    left: () => watched.flatMap(({ left }) => left()),
  };
};

/** The host as it is, whoever stands in for its timers meanwhile. */
const asItIs = (host: Host): Host => {
  const timer = host.timer.bind(host);
  return new Proxy(host, {
    get: (target, key) => {
      if (key === 'timer') return timer;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
};

/** Has whoever was given no host set timers on this one for a while. */
const standInFor = (shared: Host, watched: Host): (() => void) => {
  const own = shared as { timer?: Host['timer'] };
  own.timer = (...args) => watched.timer(...args);
  return () => {
    delete own.timer;
  };
};

const turn = (): Promise<void> => new Promise((resolve) => realHost().yield('leak check', resolve));

const FIELDS = {
  host: object<Host>('a Host'),
  emitters: fits<readonly EventEmitter[]>('event emitters', Array.isArray),
  unref: flag,
  allow: fn<(leak: FoundLeak) => boolean>(),
} as const;

/**
 * Runs code and gives what it left behind.
 *
 * @throws what the code throws; ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const findLeaks = async (
  work: (check: LeakCheck) => unknown,
  options: LeakCheckOptions = {},
): Promise<readonly FoundLeak[]> => {
  const defaults = { emitters: [process] as readonly EventEmitter[], unref: false };
  const resolved = resolveOptions('findLeaks', options, FIELDS, defaults);
  const { host: base = realHost(), allow, unref, emitters } = resolved;
  const host = new WatchedHost(asItIs(base), { timerSample: 1, origins: true });
  const census = takeCensus(host);
  const giveBack = base === realHost() ? standInFor(base, host) : undefined;
  const node = watchNode(unref);
  const listeners = watchListeners(emitters);
  try {
    await work({ host });
    for (let left = TURNS; left > 0; left--) await turn();
  } finally {
    node.stop();
    listeners.stop();
    giveBack?.();
  }
  const tasks = census.tasks().map(({ name, origin }) => ({ kind: 'task' as const, name, origin }));
  const made = host.live().map(({ kind, name, origin }) => ({ kind, name, origin }));
  const found = [...made, ...tasks, ...node.left(), ...listeners.left()];
  return allow === undefined ? found : found.filter((leak) => !allow(leak));
};

/** In words, for an error. */
export const describeLeak = ({ kind, name, origin }: FoundLeak): string =>
  `${kind} ${name}${origin === undefined ? '' : ` made at ${origin}`}`;

/**
 * Runs code and resolves to what it returns, if it leaves nothing behind.
 *
 * @throws ERR_LEAK_FOUND, naming each thing and where it was made; what the code throws; ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const withLeakCheck = async <T>(
  work: (check: LeakCheck) => T,
  options: LeakCheckOptions = {},
): Promise<Awaited<T>> => {
  let result: Awaited<T> | undefined;
  const leaks = await findLeaks(async (check) => {
    result = await work(check);
  }, options);
  if (leaks.length > 0) {
    const data = { where: 'the code under check', count: leaks.length, leaks: leaks.map(describeLeak) };
    throw createError('ERR_LEAK_FOUND', data);
  }
  return result as Awaited<T>;
};
