/** A compiled chart equals XState's interpreter: on every machine of the zoo and every chart of ours, everywhere. */
import { describe, expect, it } from 'vitest';
import { compareAlong, compareEverywhere } from '../../src/testing/chart-differential.ts';
import { charts } from '../actors/charts.ts';
import { zoo } from './zoo.ts';

const subjects = [
  ...zoo.map(({ name, machine, events }) => ({ name, machine, events: events ?? [] })),
  ...(await charts()),
];

describe('a compiled chart equals the interpreter', () => {
  it.each(subjects)('in every configuration: $name', ({ machine, events }) => {
    expect(compareEverywhere(machine, events).difference).toBeUndefined();
  });

  it.each(subjects)('along a long walk with the engines taking turns: $name', ({ machine, events }) => {
    const declared = machine.events.map((type) => ({ type: String(type) }));
    const cases = [...events, ...declared];
    const walk = Array.from({ length: 200 }, (_, i) => cases[(i * i * 7 + i * 3) % cases.length]!);
    const turns = walk.map((_, i) => (i * 5) % 3);
    if (cases.length > 0) expect(compareAlong(machine, walk, turns).difference).toBeUndefined();
  });

  it('finds many configurations where there are many', () => {
    const parallel = zoo.find(({ name }) => name.startsWith('parallel regions'))!;
    expect(compareEverywhere(parallel.machine).configurations).toBeGreaterThan(8);
  });
});
