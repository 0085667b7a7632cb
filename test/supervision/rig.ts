/**
 * Supervised workers that log what happens to them and do what a test tells them: `+a1` is the first start of a, `-a1`
 * its orderly end, `!a2` a start that failed.
 */
import { type ActorContext, IGNORE } from '../../src/kernel/logic.ts';
import type { ExitReason } from '../../src/kernel/reason.ts';
import type { Spec, SpecOptions } from '../../src/kernel/spec.ts';
import { type SupervisorOptions, supervisor } from '../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../src/supervision/supervisor-handle.ts';
import { createRig, part, type RawHandle, type Rig } from '../kernel/rig.ts';

/** What the n-th start of a worker does, or is done at it; past the list's end it succeeds. */
export type Start = 'ok' | 'fail' | 'ignore' | 'hang' | Promise<unknown> | (() => Promise<unknown>);

export interface WorkerOptions extends SpecOptions {
  readonly starts?: readonly Start[];
  /** Runs in `terminate`. */
  readonly onStop?: () => unknown;
}

export interface Company extends Rig {
  readonly log: string[];
  worker(id: string, options?: WorkerOptions): Spec<RawHandle>;
  /** Tells the worker of a spec to crash (`'crash'`), or to end with a reason of its own. */
  end(spec: Spec<RawHandle>, reason: 'crash' | ExitReason): void;
  /** Ends it and settles; returns what was logged meanwhile. */
  fell(spec: Spec<RawHandle>, reason: 'crash' | ExitReason): Promise<string[]>;
  /** What has been logged since last asked. */
  news(): string[];
  /** A supervisor over workers; without backoff unless told otherwise, as OTP. */
  supervise(
    children: readonly Spec<unknown>[],
    options?: Omit<SupervisorOptions, 'children'>,
  ): Spec<SupervisorHandle>;
}

export const createCompany = (): Company => {
  const rig = createRig();
  const log: string[] = [];
  const counts = new Map<string, number>();
  let read = 0;
  const news = () => {
    const fresh = log.slice(read);
    read = log.length;
    return fresh;
  };
  const begin = (context: ActorContext, id: string, options: WorkerOptions) => {
    const n = (counts.get(id) ?? 0) + 1;
    counts.set(id, n);
    const start = options.starts?.[n - 1] ?? 'ok';
    const live = () => {
      log.push(`+${id}${n}`);
      return {
        tell: (reason: unknown) => {
          if (reason === 'crash') throw new Error(`crash of ${id}`);
          if (reason === 'work') return new Promise<void>(() => undefined);
          context.stop(reason as ExitReason);
          return undefined;
        },
        call: (m: unknown) => (m === 'hang' ? new Promise(() => undefined) : `${id}${n}`),
        terminate: () => {
          log.push(`-${id}${n}`);
          return options.onStop?.() as Promise<void>;
        },
      };
    };
    if (start === 'ok') return live();
    if (start === 'ignore') return IGNORE;
    if (start === 'hang') return new Promise<never>(() => undefined);
    if (typeof start === 'function') return start().then(live);
    if (start !== 'fail') return start.then(live);
    log.push(`!${id}${n}`);
    throw new Error(`no start of ${id}`);
  };
  const worker: Company['worker'] = (id, options = {}) => {
    const { starts: _starts, onStop: _onStop, ...ofSpec } = options;
    return part(id, (context) => begin(context, id, options) as never, ofSpec);
  };
  const end: Company['end'] = (spec, reason) => void rig.system.get(spec).tell(reason);
  return {
    ...rig,
    log,
    worker,
    news,
    end,
    fell: async (spec, reason) => {
      news();
      end(spec, reason);
      await rig.host.settle();
      return news();
    },
    supervise: (children, options = {}) => supervisor('root', { backoff: false, ...options, children }),
  };
};
