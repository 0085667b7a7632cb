/** An orchestrator under a supervisor on a simulated host, with what tests do to it. */
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { createSystem } from '../../src/kernel/system.ts';
import type { StepContext } from '../../src/recovery/playbook.ts';
import { type RecoveryHandle, recovery } from '../../src/recovery/recovery.ts';
import type { RecoveryOptions } from '../../src/recovery/recovery-options.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

export const coded = (code: string): Error => Object.assign(new Error(code), { code });

/** The orchestrator stands at `app/recovery`, beside a server that does nothing. */
export const setUp = async (options: RecoveryOptions = {}) => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const events: TroupeEvent[] = [];
  system.events.listen((event) => events.push(event));
  const spec = recovery('recovery', { retryBackoff: { jitter: 'none' }, ...options });
  const idle = actor('idle', server({ init: () => ({}) }));
  const root = supervisor('app', { children: [idle, spec], backoff: false });
  await host.runUntil(system.start(root));
  const handle: RecoveryHandle = system.get(spec);
  return {
    host,
    system,
    root,
    idle,
    spec,
    handle,
    events,
    /** The events of recovery, each with its telling field. */
    told: () =>
      events
        .filter(({ type }) => type.startsWith('recovery.'))
        .map((event) => {
          const { outcome, why, remedy } = event as Partial<Record<'outcome' | 'why' | 'remedy', string>>;
          return `${event.type.slice('recovery.'.length)} ${outcome ?? why ?? remedy ?? ''}`.trim();
        }),
    /** Crashes the orchestrator's actor; its supervisor restarts it. */
    crash: async () => {
      system.exit(handle, { error: new Error('planted') });
      await host.settle();
    },
  };
};

/** A step that settles when told to; it counts its calls and keeps what it was given. */
export const held = () => {
  const calls: StepContext[] = [];
  const settle: { succeed(value?: unknown): void; fail(error: unknown): void }[] = [];
  const step = (context: StepContext): Promise<unknown> => {
    calls.push(context);
    return new Promise((resolve, reject) => {
      settle.push({ succeed: resolve, fail: reject });
    });
  };
  return { step, calls, last: () => settle[settle.length - 1], first: () => settle[0] };
};

/** A step that fails with each of these errors in turn, then succeeds with `'well'`. */
export const failing = (...errors: readonly unknown[]) => {
  const at: number[] = [];
  const calls: StepContext[] = [];
  const step =
    (host: SimulatedHost) =>
    (context: StepContext): string => {
      at.push(host.monotonic());
      calls.push(context);
      const n = at.length - 1;
      if (n < errors.length) throw errors[n];
      return 'well';
    };
  return { step, at, calls };
};
