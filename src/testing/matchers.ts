/** Matchers for vitest and jest: `expect.extend(troupeMatchers)`. They import neither. */
import { isTroupeError } from '../base/errors.ts';
import type { System } from '../kernel/system.ts';
import { describeLeak, findLeaks, type LeakCheck, type LeakCheckOptions } from './leak-check.ts';
import type { PendingTimer } from './simulated-host.ts';

interface Verdict {
  readonly pass: boolean;
  readonly message: () => string;
}

const verdict = (pass: boolean, wanted: string, seen: string): Verdict => ({
  pass,
  message: () => `expected ${pass ? 'not ' : ''}${wanted}; ${seen}`,
});

export const troupeMatchers = {
  /** An error of troupe with this code, and this outcome if one is given. */
  toBeTroupeError(received: unknown, code: string, outcome?: string): Verdict {
    const known = isTroupeError(received);
    const pass = known && received.code === code && (outcome === undefined || received.outcome === outcome);
    return verdict(
      pass,
      `${code} ${outcome ?? ''}`.trim(),
      known ? `got ${received.code} ${received.outcome}` : `got ${received}`,
    );
  },

  /** A system of which nothing lives and nothing runs any more. */
  toBeStopped(received: System): Verdict {
    const { started, ended, stragglers } = received.counters;
    const pass = started === ended && stragglers === 0 && received.tree().length === 0;
    return verdict(
      pass,
      'everything to have ended',
      `${started} started, ${ended} ended\n${received.drawTree()}`,
    );
  },

  /** A function that leaves no timer, socket, process, thread, task or listener behind. Await it. */
  async toLeaveNothing(
    received: (check: LeakCheck) => unknown,
    options?: LeakCheckOptions,
  ): Promise<Verdict> {
    const leaks = await findLeaks(received, options);
    return verdict(
      leaks.length === 0,
      'nothing to be left behind',
      leaks.map(describeLeak).join('; ') || 'nothing was',
    );
  },

  /** A simulated host on which no timer waits. */
  toBeIdle(received: { pendingTimers(): readonly PendingTimer[] }): Verdict {
    const labels = received.pendingTimers().map(({ label, dueMs }) => `${label} at ${dueMs} ms`);
    return verdict(labels.length === 0, 'no timer to wait', labels.join(', ') || 'none waits');
  },
};
