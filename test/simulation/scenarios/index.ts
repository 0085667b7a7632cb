/** All scenarios, by name. Those with a greater share are run more often by `npm run sim`. */
import type { Scenario } from '../../../src/testing/simulation.ts';
import { breaker } from './breaker.ts';
import { busAlone } from './bus.ts';
import { dynamic } from './dynamic.ts';
import { hold } from './hold.ts';
import { kernel } from './kernel.ts';
import { locksAlone } from './locks.ts';
import { poolAlone } from './pool.ts';
import { poolSizes } from './pool-sizes.ts';
import { processWorkers } from './processes.ts';
import { recoveryAlone } from './recovery.ts';
import { scopesAlone } from './scopes.ts';
import { service } from './service.ts';
import { supervision } from './supervision.ts';

/** A scenario, whatever its world. */
export type AnyScenario = Scenario<unknown>;

export const SCENARIOS: readonly { readonly scenario: AnyScenario; readonly share: number }[] = [
  { scenario: processWorkers as AnyScenario, share: 2 },
  { scenario: kernel as AnyScenario, share: 4 },
  { scenario: service as AnyScenario, share: 4 },
  { scenario: recoveryAlone as AnyScenario, share: 4 },
  { scenario: poolAlone as AnyScenario, share: 4 },
  { scenario: poolSizes as AnyScenario, share: 3 },
  { scenario: breaker as AnyScenario, share: 5 },
  { scenario: dynamic as AnyScenario, share: 4 },
  { scenario: supervision as AnyScenario, share: 5 },
  { scenario: hold as AnyScenario, share: 3 },
  { scenario: locksAlone as AnyScenario, share: 3 },
  { scenario: busAlone as AnyScenario, share: 3 },
  { scenario: scopesAlone as AnyScenario, share: 2 },
];
