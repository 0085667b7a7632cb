/** What the comparison of traces leaves to chance, and that it leaves no more. */
import { describe, expect, it } from 'vitest';
import type { Script } from './script-format.ts';
import { differenceOf, judge } from './trace-comparison.ts';

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

describe('several faults in one step', () => {
  const worker = (id: string) => ({ id });
  const inner = { id: 's', type: 'supervisor', children: [worker('b'), worker('c')] } as const;
  const of = (strategy: 'one_for_one' | 'one_for_all', ...paths: string[]): Script => ({
    id: 1,
    tree: { id: 'root', type: 'supervisor', strategy, children: [worker('a'), inner] },
    ops: [{ op: 'together', ops: paths.map((path) => ({ op: 'kill', path })) }],
  });
  const ofA: readonly Event[] = [
    ['child_terminated', 'root', 'a', 'killed'],
    ['init', 'root/a', 2, 'ok'],
    ['progress', 'root', 'a'],
  ];
  const ofB: readonly Event[] = [
    ['child_terminated', 'root/s', 'b', 'killed'],
    ['init', 'root/s/b', 2, 'ok'],
    ['progress', 'root/s', 'b'],
  ];
  const faulty = (events: readonly Event[], deaths: readonly Event[] = []) => ({
    id: 1,
    steps: [
      { ret: 'ok', events: [], deaths: [], tree: [] },
      { ret: 'ok', events, deaths, tree: [] },
    ],
  });
  const apart = of('one_for_one', 'root/a', 'root/s/b');
  const verdict = (script: Script, one: readonly Event[], other: readonly Event[]) =>
    judge(script, faulty(one), faulty(other));

  it('in different subtrees have no order between them, and keep their own', () => {
    const interleaved = [ofB[0], ofA[0], ofB[1], ofA[1], ofA[2], ofB[2]] as readonly Event[];
    expect(verdict(apart, [...ofA, ...ofB], interleaved)).toMatchObject({
      difference: undefined,
      concurrent: 1,
    });
    const swapped = [...ofA, ofB[0], ofB[2], ofB[1]] as readonly Event[];
    expect(verdict(apart, [...ofA, ...ofB], swapped).difference).toMatchObject({ step: 1, field: 'events' });
    expect(verdict(apart, [...ofA, ...ofB], ofA).difference).toMatchObject({ field: 'events' });
  });

  it('that both concern a group are open, unless they stay below it', () => {
    const group = of('one_for_all', 'root/a', 'root/s/b');
    expect(verdict(group, [...ofA, ...ofB], ofA)).toMatchObject({ difference: undefined, openFrom: 1 });
    const below = of('one_for_all', 'root/s/b', 'root/s/c');
    const ofC = ofB.map((event) => event.map((part) => String(part).replace(/^b$|b$/, 'c')));
    expect(verdict(below, [...ofB, ...ofC], [...ofC, ...ofB])).toMatchObject({ concurrent: 1 });
  });

  it('under a supervisor that ends meanwhile are open only where it ends on both', () => {
    const ended = faulty([...ofA, ...ofB], [['root', 1, 'shutdown']]);
    expect(judge(apart, ended, ended)).toMatchObject({ openFrom: 1 });
    expect(judge(apart, ended, faulty([...ofA, ...ofB])).difference).toBeDefined();
  });

  it('come of a link as well, where one does not trap exits', () => {
    const linked = (trap: boolean): Script => ({
      id: 1,
      tree: { id: 'root', type: 'supervisor', children: [{ id: 'a', trap }, inner] },
      ops: [
        { op: 'link', path: 'root/a', to: 'root/s/b' },
        { op: 'kill', path: 'root/s/b' },
      ],
    });
    const alive = [
      ['root/a', 1, 'worker'],
      ['root/s/b', 1, 'worker'],
    ];
    const calm = { ret: 'ok', events: [], deaths: [], tree: alive };
    const then = (events: readonly Event[]) => {
      const deaths = [
        ['root/s/b', 1, 'killed'],
        ['root/a', 1, 'killed'],
      ];
      return { id: 1, steps: [calm, calm, { ret: 'ok', events, deaths, tree: alive }] };
    };
    const [one, other] = [then([...ofA, ...ofB]), then([...ofB, ...ofA])];
    expect(judge(linked(false), one, other)).toMatchObject({ difference: undefined, concurrent: 1 });
    expect(judge(linked(true), one, other).difference).toMatchObject({ step: 2, field: 'events' });
  });
});
