/** `actor(id, logic, options)`: the spec of any logic. */
import type { Logic } from './logic.ts';
import { createSpec, type Spec, type SpecOptions } from './spec.ts';

/**
 * The spec of one actor: what it runs, under which id, and how its supervisor shall treat its end.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const actor = <H>(id: string, logic: Logic<H>, options: SpecOptions = {}): Spec<H> =>
  createSpec(id, logic, options);
