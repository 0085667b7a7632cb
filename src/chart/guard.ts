/**
 * Guards as plain functions of the event: named guards with their params, and `and`, `or`, `not` of them.
 *
 * Invariant: a guard here answers as XState's own evaluation does. A guard reads the event alone: there is no context.
 */
import { type AnyStateMachine, and, not, or } from 'xstate';
import { createError } from '../base/errors.ts';
import type { ChartEvent } from './chart.ts';

/** Whether a transition is enabled by this event. */
export type Test = (event: ChartEvent) => boolean;

interface Args {
  readonly context: object;
  readonly event: ChartEvent;
}

/** XState's combinators are functions that carry their operands; which one it is, its `check` tells. */
interface Combinator {
  readonly check: unknown;
  readonly guards: readonly unknown[];
}

const AND = (and([]) as unknown as Combinator).check;
const OR = (or([]) as unknown as Combinator).check;
const NOT = (not('') as unknown as Combinator).check;

/** What context our charts have: none, said by an object that cannot hold any. */
export const NO_CONTEXT: object = Object.freeze({});

const operandsOf = (combinator: Combinator, machine: AnyStateMachine, where: string): readonly Test[] =>
  combinator.guards.map((operand) => compileGuard(operand, machine, where));

const combine = (combinator: Combinator, machine: AnyStateMachine, where: string): Test => {
  const { check } = combinator;
  if (check !== AND && check !== OR && check !== NOT) {
    throw createError('ERR_CHART_UNSUPPORTED', {
      chart: machine.id,
      what: `a guard built from XState's ${(combinator as { name?: string }).name ?? 'own'} (in ${where})`,
    });
  }
  const operands = operandsOf(combinator, machine, where);
  if (check === AND) return (event) => operands.every((test) => test(event));
  if (check === OR) return (event) => operands.some((test) => test(event));
  const [first] = operands;
  return (event) => first?.(event) !== true;
};

const named = (name: string, params: unknown, machine: AnyStateMachine, where: string): Test => {
  const implementation: unknown = (machine.implementations.guards as Record<string, unknown>)[name];
  if (implementation === undefined) {
    throw createError('ERR_CHART_UNSUPPORTED', {
      chart: machine.id,
      what: `the guard ${name} without an implementation (in ${where})`,
    });
  }
  if (typeof implementation !== 'function') return compileGuard(implementation, machine, where);
  if ('check' in implementation) return combine(implementation as unknown as Combinator, machine, where);
  const answer = implementation as (args: Args, params: unknown) => unknown;
  if (typeof params === 'function') {
    const paramsOf = params as (args: Args) => unknown;
    return (event) =>
      Boolean(answer({ context: NO_CONTEXT, event }, paramsOf({ context: NO_CONTEXT, event })));
  }
  return (event) => Boolean(answer({ context: NO_CONTEXT, event }, params));
};

/** How people call a guard, for messages. */
export const guardName = (guard: unknown): string => {
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'object' && guard !== null) return String((guard as { type?: unknown }).type);
  if (typeof guard !== 'function') return String(guard);
  const operands = (guard as unknown as Partial<Combinator>).guards;
  return operands === undefined ? 'inline' : `${guard.name}(${operands.map(guardName).join(', ')})`;
};

/** Makes a guard, as it is written in a machine, a function of the event. @throws ERR_CHART_UNSUPPORTED */
export const compileGuard = (guard: unknown, machine: AnyStateMachine, where: string): Test => {
  if (typeof guard === 'string') return named(guard, undefined, machine, where);
  if (typeof guard === 'object' && guard !== null) {
    const { type, params } = guard as { type: string; params?: unknown };
    return named(type, params, machine, where);
  }
  if (typeof guard === 'function' && 'check' in guard)
    return combine(guard as unknown as Combinator, machine, where);
  throw createError('ERR_CHART_UNSUPPORTED', { chart: machine.id, what: `an inline guard (in ${where})` });
};
