import { describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { applicationMachine } from '../../../actors/application.machine.ts';
import { circuitBreakerMachine } from '../../../actors/circuit-breaker.machine.ts';
import { poolMachine } from '../../../actors/pool.machine.ts';
import { poolWorkerMachine } from '../../../actors/pool-worker.machine.ts';
import { recoveryMachine } from '../../../actors/recovery.machine.ts';
import { supervisedChildMachine } from '../../../actors/supervised-child.machine.ts';
import { Charts } from '../../../src/explorer/chart-definition.ts';
import { wire } from '../../../src/explorer/page/chart-edges.ts';
import { type Box, type ChartLayout, layOut } from '../../../src/explorer/page/chart-layout.ts';
import type { ChartDefinition, ChartState } from '../../../src/explorer/protocol.ts';

const measure = (text: string) => text.length * 7;
const definitionOf = (machine: object): ChartDefinition => new Charts().of(machine, 'user').definition;

const zone = (n: number) => ({
  initial: 'idle',
  states: Object.fromEntries(
    ['idle', 'loading', 'ready', 'working', 'failing', 'resting'].map((key, i, all) => [
      key,
      { on: { [`GO_${key}`]: all[(i + 1) % all.length] as string, HOME: '#plant.zone0.ready' } },
    ]),
  ),
  on: { NEXT: `zone${(n + 1) % 10}`, LEAVE: { target: '.idle' } },
});
/** Ten states of six each, crossing from each to another, and doors at two depths. */
const plant = createMachine({
  id: 'plant',
  initial: 'zone0',
  on: { STOP: '.zone9' },
  states: Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`zone${n}`, zone(n)])),
} as never);

const cases: readonly (readonly [name: string, machine: object])[] = [
  ['circuit breaker', circuitBreakerMachine],
  ['pool, two regions', poolMachine],
  ['worker, two regions', poolWorkerMachine],
  ['recovery', recoveryMachine],
  ['application', applicationMachine],
  ['supervised child', supervisedChildMachine],
  ['a plant of sixty nested states', plant],
];

const childrenOf = (layout: ChartLayout, { state }: Box): readonly Box[] =>
  layout.boxes.filter(({ id }) => state.states.some((child) => child.id === id));

const overlaps = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

const allStates = (state: ChartState): readonly ChartState[] => [state, ...state.states.flatMap(allStates)];

describe.each(cases)('%s', (_name, machine) => {
  const definition = definitionOf(machine);
  const layout = layOut(definition, measure);

  it('has a box for each state, within that of its parent and beside its siblings', () => {
    expect(layout.boxes.map(({ id }) => id).sort()).toEqual(
      allStates(definition.root)
        .map(({ id }) => id)
        .sort(),
    );
    for (const box of layout.boxes) {
      const children = childrenOf(layout, box);
      for (const [i, child] of children.entries()) {
        expect(child.x, child.id).toBeGreaterThanOrEqual(box.x);
        expect(child.y, child.id).toBeGreaterThanOrEqual(box.y);
        expect(child.x + child.width, child.id).toBeLessThanOrEqual(box.x + box.width + 0.01);
        expect(child.y + child.height, child.id).toBeLessThanOrEqual(box.y + box.height + 0.01);
        for (const other of children.slice(i + 1))
          expect(overlaps(child, other), `${child.id} ${other.id}`).toBe(false);
      }
    }
  });

  it('tells each transition once, as an arrow or as a line in its box', () => {
    const all = allStates(definition.root).flatMap(({ transitions }) => transitions.map(({ id }) => id));
    const arrows = layout.arrows.flatMap(({ lines }) => lines.map(({ transition }) => transition.id));
    const inner = layout.boxes.flatMap((box) => box.inner.map(({ transition }) => transition.id));
    expect([...arrows, ...inner].sort()).toEqual([...all].sort());
  });

  it('no label lies on a state that its arrow has nothing to do with', () => {
    const leaves = layout.boxes.filter(({ state }) => state.states.length === 0);
    for (const { label, labelWidth, labelHeight, key } of layout.arrows) {
      const box = {
        x: label.x - labelWidth / 2,
        y: label.y - labelHeight / 2,
        width: labelWidth,
        height: labelHeight,
      };
      for (const leaf of leaves) expect(overlaps(box as Box, leaf), `${key} over ${leaf.id}`).toBe(false);
    }
  });

  it('every arrow ends at the state that it means', () => {
    const boxes = new Map(layout.boxes.map((box) => [box.id, box]));
    for (const { points, to, key } of layout.arrows) {
      const { x, y, width, height } = boxes.get(to) as Box;
      const end = points.at(-1) as { x: number; y: number };
      expect(end.x >= x - 3 && end.x <= x + width + 3 && end.y >= y - 3 && end.y <= y + height + 3, key).toBe(
        true,
      );
    }
  });
});

it('regions stand side by side, and what crosses them is told in words', () => {
  const { root } = definitionOf(poolWorkerMachine);
  const regions = layOut({ root }, measure).boxes.filter(({ isRegion }) => isRegion);
  expect(regions).toHaveLength(2);
  expect(regions[0]?.y).toBe(regions[1]?.y);
  expect(wire(root).arrows.has(root.id)).toBe(false);
});
