/**
 * An actor's past out of its history: the states it stood in, and the contexts it had, by undoing what later steps changed.
 *
 * Invariant: pure; undoing all changes and doing them again ends where it began. What is not known is `undefined`, never guessed.
 */
import type { ContextChange, History, Json, Step } from '../protocol.ts';

type Key = string | number;

/** A copy of a value in which one place holds another value, or nothing. */
const replaced = (value: Json | undefined, at: readonly Key[], to: Json | undefined): Json | undefined => {
  const [key, ...rest] = at;
  if (key === undefined) return to;
  if (Array.isArray(value)) {
    const copy: Json[] = [...(value as readonly Json[])];
    const next = replaced(copy[Number(key)], rest, to);
    if (next !== undefined) copy[Number(key)] = next;
    else copy.splice(Number(key), 1);
    return copy;
  }
  const record = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, Json>>) : {};
  const next = replaced(record[key], rest, to);
  const others = Object.entries(record).filter(([name]) => name !== String(key));
  if (next === undefined) return Object.fromEntries(others);
  // Keys keep their places.
  return Object.hasOwn(record, key)
    ? Object.fromEntries(
        Object.entries(record).map(([name, one]) => [name, name === String(key) ? next : one]),
      )
    : { ...record, [key]: next };
};

/** What it was before some changes. */
export const undone = (value: Json | undefined, changes: readonly ContextChange[]): Json | undefined =>
  [...changes].reverse().reduce((now, { at, before }) => replaced(now, at, before), value);

/** The context after a step: the newest, with all later changes undone. */
export const contextAfter = (history: History, index: number): Json | undefined => {
  if (history.context === undefined) return undefined;
  let context: Json | undefined = history.context;
  for (let i = history.steps.length - 1; i > index; i--)
    context = undone(context, history.steps[i]?.changes ?? []);
  return context;
};

/** How often each state had been entered by a step. */
export const visitsUntil = (steps: readonly Step[], index: number): Readonly<Record<string, number>> => {
  const visits: Record<string, number> = {};
  let before: readonly string[] = [];
  for (const { active } of steps.slice(0, index + 1)) {
    for (const id of active) if (!before.includes(id)) visits[id] = (visits[id] ?? 0) + 1;
    before = active;
  }
  return visits;
};
