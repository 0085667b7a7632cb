/**
 * What is thought of one thing that is checked. It is what runs: `src/coordination/check-run.ts` performs what its actions ask for.
 *
 * Invariant: one reading changes little: it takes as many bad ones in a row as were asked for to be unhealthy, and as many good ones to
 * be healthy again. It knows neither readings nor limits nor time.
 */
import { setup } from 'xstate';

/** What is thought of it. `degraded`: the last reading was bad, but there were not enough in a row. */
export type HealthVerdict = 'unknown' | 'healthy' | 'degraded' | 'unhealthy';

export type HealthCheckEvent =
  /** `enough`: as many in a row as it takes. */
  | { readonly type: 'bad'; readonly enough: boolean }
  | { readonly type: 'good'; readonly enough: boolean }
  /** Neither: between the limit for being ill and the one for being well. */
  | { readonly type: 'middling' };

const noop = (): void => {};

const stand = (verdict: HealthVerdict) => ({ type: 'stand', params: { verdict } }) as const;
const BAD = [{ guard: 'isEnough', target: 'unhealthy' }, { target: 'degraded' }] as const;

export const healthCheckMachine = setup({
  types: { events: {} as HealthCheckEvent },
  actions: {
    /** What is thought of it from now on. */
    stand: (_, _params: { verdict: HealthVerdict }) => noop(),
    /** It has become unhealthy: whoever mends it is to hear of it. */
    alarm: noop,
    /** It is well again. */
    relieve: noop,
  },
  guards: { isEnough: ({ event }) => 'enough' in event && event.enough },
}).createMachine({
  id: 'healthCheck',
  description: 'What is thought of one thing that is checked.',
  initial: 'unknown',
  meta: {
    events: {
      bad: 'It was found ill, could not be asked, or did not answer in time.',
      good: 'It was found well.',
      middling: 'It was found neither ill nor well.',
    },
  },
  states: {
    unknown: {
      description: 'Nobody has looked yet.',
      on: { bad: BAD, good: 'healthy', middling: 'healthy' },
    },
    healthy: { description: 'Well.', entry: stand('healthy'), on: { bad: BAD } },
    degraded: {
      description: 'Ill when it was last looked at; that may pass.',
      entry: stand('degraded'),
      on: { bad: { guard: 'isEnough', target: 'unhealthy' }, good: 'healthy', middling: 'healthy' },
    },
    unhealthy: {
      description: 'Ill again and again.',
      entry: [stand('unhealthy'), 'alarm'],
      on: { good: { guard: 'isEnough', target: 'healthy', actions: 'relieve' } },
    },
  },
});
