/** Bugs of a breaker, each with the properties of `breaker` that find it. */
import { Token } from '../../../src/resilience/admission.ts';
import { BreakerCore } from '../../../src/resilience/breaker-core.ts';
import { OpenWait } from '../../../src/resilience/open-wait.ts';
import { Probes } from '../../../src/resilience/probes.ts';
import { breaker } from '../scenarios/breaker.ts';
import type { AnyScenario } from '../scenarios/index.ts';
import { type Bug, type Method, nothing } from './plant.ts';

const scenario = breaker as AnyScenario;

export const BREAKER_BUGS: readonly Bug[] = [
  {
    bug: 'a stale result counts',
    scenario,
    violates: ['stale results move nothing'],
    plant: (put) =>
      put(
        BreakerCore,
        'settled',
        (original) =>
          function (this: BreakerCore, token: object, ...rest: never[]) {
            const { generation } = this.inspect();
            const current = Object.create(token, { generation: { value: generation } }) as never;
            return Reflect.apply(original, this as never, [current, ...rest] as never);
          } as Method,
      ),
  },
  {
    bug: 'it half-opens before the wait is over',
    scenario,
    violates: ['no call enters while open'],
    plant: (put) => put(OpenWait, 'untilMs', () => () => 0),
  },
  {
    bug: 'its timer half-opens it at once',
    scenario,
    violates: ['half-open only after the wait'],
    plant: (put) =>
      put(
        OpenWait,
        'start',
        (original) =>
          function (this: OpenWait, openMs: number) {
            return Reflect.apply(original, this as never, [openMs / 2] as never);
          } as Method,
      ),
  },
  {
    bug: 'a permit is lost with each admission',
    scenario,
    violates: ['permits are given', 'permits are conserved'],
    plant: (put) =>
      put(
        BreakerCore,
        'admit',
        (original) =>
          function (this: never, ...args: never[]) {
            Reflect.apply(original, this, args);
            return Reflect.apply(original, this, args);
          },
      ),
  },
  {
    bug: 'a probe keeps its permit',
    scenario,
    violates: ['permits are given', 'permits are conserved'],
    plant: (put) => put(Probes, 'returned', nothing),
  },
  {
    bug: 'probes are not counted',
    scenario,
    violates: ['at most so many probes'],
    plant: (put) => put(Probes, 'size', () => () => 0),
  },
  {
    bug: 'a success is taken for a failure',
    scenario,
    violates: ['counts are a fold of the endings', 'closed lets through'],
    plant: (put) =>
      put(
        BreakerCore,
        'settled',
        (original) =>
          function (this: BreakerCore, token: object, judgement: string, cause: unknown) {
            const judged = judgement === 'success' ? 'failure' : judgement;
            return Reflect.apply(original, this as never, [token, judged, cause] as never);
          } as Method,
      ),
  },
  {
    bug: 'a settlement says that it counted, however often',
    scenario,
    violates: ['a token settles once'],
    plant: (put) => put(BreakerCore, 'admit', settlingAlways),
  },
  {
    bug: 'it stays open for ever',
    scenario,
    violates: ['liveness'],
    plant: (put) => put(OpenWait, 'untilMs', () => () => Number.POSITIVE_INFINITY),
  },
  {
    bug: 'nobody listens to whoever gives up',
    scenario,
    violates: ['every call settles'],
    plant: (put) =>
      put(
        BreakerCore,
        'execute',
        (original) =>
          function (this: never, work: unknown) {
            return Reflect.apply(original, this, [work] as never);
          } as Method,
      ),
  },
  {
    bug: 'a watchdog is not called off',
    scenario,
    violates: ['nothing is left'],
    plant: (put) => put(Token, 'watchTime', nothing),
  },
];

const settlingAlways = (original: Method): Method =>
  function (this: BreakerCore, ...args: never[]) {
    const admission = Reflect.apply(original, this as never, args) as {
      admitted: boolean;
      settle(j: string): boolean;
    };
    if (!admission.admitted) return admission;
    return {
      admitted: true,
      settle: (judgement: string) => {
        admission.settle(judgement);
        return true;
      },
    };
  } as Method;
