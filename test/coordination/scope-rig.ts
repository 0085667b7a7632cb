/** A scope on a simulated host, and tasks that a test ends by hand. */
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { createScope, type ScopeOptions } from '../../src/coordination/scope.ts';
import type { TaskContext } from '../../src/coordination/task.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

export const createScopeRig = (options: ScopeOptions = {}) => {
  const host = new SimulatedHost();
  const scope = createScope({ host, ...options });
  const events: TroupeEvent[] = [];
  scope.events.listen((event) => events.push(event));
  return { host, scope, events };
};

/** Ends when it is cancelled, as well-behaved work does. */
export const obedient = ({ signal }: TaskContext): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });

/** Hears nothing. */
export const deaf = (): Promise<never> => new Promise(() => {});
