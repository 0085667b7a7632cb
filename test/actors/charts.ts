/**
 * Finds every chart of `actors/` with its event cases, for the checks that hold for all of them.
 *
 * A chart is the export of `actors/<name>.machine.ts` that is a machine. Where its guards or params read events,
 * `test/actors/<name>.events.ts` exports `events`: every variant that they tell apart.
 */
import { readdirSync } from 'node:fs';
import type { AnyStateMachine } from 'xstate';
import type { ChartEvent } from '../../src/chart/chart.ts';

/** A chart of ours. */
export interface OwnChart {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly events: readonly ChartEvent[];
}

const isMachine = (value: unknown): value is AnyStateMachine =>
  typeof value === 'object' && value !== null && '__xstatenode' in value;

const filesIn = (folder: string, ending: string): readonly string[] =>
  readdirSync(new URL(folder, import.meta.url))
    .filter((file) => file.endsWith(ending))
    .sort();

/** All charts, in the order of their names. */
export const charts = async (): Promise<readonly OwnChart[]> => {
  const withEvents = new Set(filesIn('.', '.events.ts'));
  const found: OwnChart[] = [];
  for (const file of filesIn('../../actors', '.machine.ts')) {
    const name = file.slice(0, -'.machine.ts'.length);
    const module = (await import(new URL(`../../actors/${file}`, import.meta.url).href)) as object;
    const machine = Object.values(module).find(isMachine);
    if (machine === undefined) throw new Error(`actors/${file} exports no machine`);
    const cases = withEvents.has(`${name}.events.ts`)
      ? (
          (await import(new URL(`./${name}.events.ts`, import.meta.url).href)) as {
            events: readonly ChartEvent[];
          }
        ).events
      : [];
    found.push({ name, machine, events: cases });
  }
  return found;
};
