/** What the comparison of traces leaves to chance, and that it leaves no more. */
import { describe, expect, it } from 'vitest';
import type { Script } from './script-format.ts';
import { differenceOf } from './trace-comparison.ts';

type Event = readonly unknown[];

const script: Script = { id: 1, tree: { id: 'root', type: 'supervisor' }, ops: [] };
const trace = (events: readonly Event[]) => ({
  id: 1,
  steps: [{ ret: 'ok', events, deaths: [], tree: [] }],
});
const agree = (one: readonly Event[], other: readonly Event[]): boolean =>
  differenceOf(script, trace(one), trace(other)) === undefined;

const stops = (...places: string[]): readonly Event[] =>
  places.map((place) => ['terminate', `root/${place}`, 1, 'shutdown']);
const error = (place: string, child: string, reason: string): Event => [
  'shutdown_error',
  `root/${place}`,
  child,
  reason,
];

describe('events of dynamic children', () => {
  it('of several that stop together have no order between them', () => {
    expect(agree(stops('d/t#k0', 'd/t#k1'), stops('d/t#k1', 'd/t#k0'))).toBe(true);
  });

  it('keep the order that they have in each, however those of the others come in between', () => {
    const otp = [
      ...stops('d/t#k0/w1', 'd/t#k0/w0'),
      error('d/t#k0', 'w0', 'oops'),
      ...stops('d/t#k2/w0'),
      error('d/t#k2', 'w0', 'oops'),
    ];
    const interleaved = [
      ...stops('d/t#k2/w0', 'd/t#k0/w1'),
      error('d/t#k2', 'w0', 'oops'),
      ...stops('d/t#k0/w0'),
      error('d/t#k0', 'w0', 'oops'),
    ];
    expect(agree(otp, interleaved)).toBe(true);
    expect(agree(stops('d/t#k0/w1', 'd/t#k0/w0'), stops('d/t#k0/w0', 'd/t#k0/w1'))).toBe(false);
  });

  it('have theirs below dynamic children of their own as well', () => {
    const inOrder = stops('d/t#k0/w1', 'd/t#k0/d/t#a/w1', 'd/t#k0/d/t#b/w1', 'd/t#k0/w0');
    const otherwise = stops('d/t#k0/w1', 'd/t#k0/d/t#b/w1', 'd/t#k0/d/t#a/w1', 'd/t#k0/w0');
    const siblingTooEarly = stops('d/t#k0/w1', 'd/t#k0/d/t#a/w1', 'd/t#k0/w0', 'd/t#k0/d/t#b/w1');
    expect(agree(inOrder, otherwise)).toBe(true);
    expect(agree(inOrder, siblingTooEarly)).toBe(false);
  });

  it('stand before or after what others do', () => {
    expect(agree(stops('d/t#k0', 'w0'), stops('w0', 'd/t#k0'))).toBe(false);
  });

  it('are told of by the supervisor in any order, after them', () => {
    const [a, b] = [error('d', 't', 'a'), error('d', 't', 'b')];
    expect(agree([...stops('d/t#k0', 'd/t#k1'), a, b], [...stops('d/t#k1', 'd/t#k0'), b, a])).toBe(true);
    expect(agree([...stops('d/t#k0'), a], [a, ...stops('d/t#k0')])).toBe(false);
  });
});
