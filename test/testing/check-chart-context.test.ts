/** Machines outside troupe's subset: context, guards that read it, inline actions; what cannot be explored is refused. */
import { describe, expect, it, vi } from 'vitest';
import { type AnyStateMachine, assign, createActor, createMachine, fromPromise, setup } from 'xstate';
import { checkChart } from '../../src/testing/check-chart.ts';

/** A store with room for three, whose guard lets one more in when `room` is wrong. */
const store = (room: number) =>
  setup({
    types: {} as {
      context: { items: number };
      events: { type: 'put' } | { type: 'take' } | { type: 'shut' };
    },
  }).createMachine({
    id: 'store',
    initial: 'open',
    context: { items: 0 },
    states: {
      open: {
        on: {
          put: {
            guard: ({ context }) => context.items < room,
            actions: assign({ items: ({ context }) => context.items + 1 }),
          },
          take: {
            guard: ({ context }) => context.items > 0,
            actions: assign({ items: ({ context }) => context.items - 1 }),
          },
          shut: 'shut',
        },
      },
      shut: { type: 'final' },
    },
  });

const atMostThree = {
  'at most three': ({ next }: { next: { context: { items: number } } }) => next.context.items <= 3,
};

const machineOf = (config: object): AnyStateMachine =>
  createMachine({ id: 'x', ...config } as never) as unknown as AnyStateMachine;

const typesOf = (path: readonly { readonly type: string }[]): string =>
  path.map(({ type }) => type).join(' ');

describe('a machine with context', () => {
  it('is explored through every value that context takes', () => {
    const report = checkChart(store(3), { invariants: atMostThree });
    expect(report.problems).toEqual([]);
    expect(
      report.states.map(
        ({ snapshot, path }) => `${snapshot.value} ${snapshot.context.items}: ${typesOf(path)}`,
      ),
    ).toEqual([
      'open 0: ',
      'open 1: put',
      'shut 0: shut',
      'open 2: put put',
      'shut 1: put shut',
      'open 3: put put put',
      'shut 2: put put shut',
      'shut 3: put put put shut',
    ]);
    expect(report.coverage).toEqual({
      states: { reached: 3, declared: 3 },
      transitions: { taken: 3, declared: 3 },
    });
  });

  it('shows a guard that is off by one, by the shortest way there', () => {
    const { problems, violations } = checkChart(store(4), { invariants: atMostThree });
    expect(problems[0]).toBe(
      '"at most three" fails from open {"items":3} to open {"items":4} after put, put, put, put',
    );
    expect(typesOf(violations[0]?.path ?? [])).toBe('put put put put');
    expect(violations[0]?.next.context.items).toBe(4);
  });

  it('executes nothing', () => {
    const act = vi.fn();
    const fetch = vi.fn(async () => 1);
    const states = {
      a: { entry: () => act(), on: { E: { target: 'b', actions: () => act() } } },
      b: { invoke: { id: 'fetch', src: fromPromise(fetch), onDone: 'a' } },
    };
    const { problems } = checkChart(machineOf({ initial: 'a', states }), {
      children: { fetch: { done: [1] } },
    });
    expect(problems).toEqual([]);
    expect(act).not.toHaveBeenCalled();
    expect(fetch).not.toHaveBeenCalled();
  });

  it.each([
    ['a set', () => new Set<string>(), (had: Set<string>, item: string) => new Set([...had, item])],
    [
      'a map',
      () => new Map<string, number>(),
      (had: Map<string, number>, item: string) => new Map([...had, [item, 1]]),
    ],
  ])('is told apart by what %s in it holds, in whatever order', (_, make, add) => {
    const machine = machineOf({
      context: { held: make() },
      on: {
        add: { actions: assign({ held: ({ context, event }) => add(context.held as never, event.item) }) },
      },
    });
    const events = [
      { type: 'add', item: 'a' },
      { type: 'add', item: 'b' },
    ];
    expect(checkChart(machine, { events } as never).states).toHaveLength(4);
  });

  it('is told apart by what its history states go back to', () => {
    const states = {
      on: {
        initial: 'low',
        states: { low: { on: { E: 'high' } }, high: {}, was: { type: 'history' } },
        on: { OFF: 'off' },
      },
      off: { on: { ON: 'on.was' } },
    };
    const { states: reached, problems } = checkChart(machineOf({ initial: 'on', context: { n: 0 }, states }));
    expect(problems).toEqual([]);
    expect(
      reached.filter(({ snapshot }) => snapshot.value === 'off').map(({ path }) => typesOf(path)),
    ).toEqual(['OFF', 'E OFF']);
  });

  it('is started with the input that is given', () => {
    const machine = setup({ types: {} as { context: { n: number }; input: { n: number } } }).createMachine({
      context: ({ input }) => ({ n: input.n }),
      on: {
        down: {
          guard: ({ context }) => context.n > 0,
          actions: assign({ n: ({ context }) => context.n - 1 }),
        },
      },
    });
    expect(
      checkChart(machine, {
        input: { n: 2 },
        allow: ['deadlock: nothing can happen in {"n":0} (after down, down)'],
      }),
    ).toMatchObject({
      problems: [],
      states: { length: 3 },
    });
  });

  it('takes what may come from a function of where it stands', () => {
    const asked: unknown[] = [];
    const { problems, states } = checkChart(store(3), {
      events: (snapshot): readonly { type: 'put' | 'take' }[] => {
        asked.push(snapshot.context.items);
        return snapshot.context.items === 0 ? [{ type: 'put' }] : [{ type: 'take' }];
      },
    });
    expect(asked).toEqual([0, 1]);
    expect(states).toHaveLength(2);
    expect(problems).toEqual([
      'event shut has no case',
      'state store.shut is never entered',
      'transition never taken: store.open on shut → store.shut',
    ]);
  });

  it('is reported where a guard or an assignment throws, and how to get there', () => {
    const config = {
      context: { items: [] as string[] },
      on: { first: { actions: assign({ first: ({ context }) => (context.items[0] as string).length }) } },
    };
    expect(checkChart(machineOf(config)).problems[0]).toMatch(
      /^first in \{"items":\[\]\} throws TypeError: .*\(after first\)$/,
    );
  });

  it('is reported where eventless transitions loop', () => {
    const config = {
      initial: 'a',
      context: { n: 0 },
      states: {
        a: { on: { E: 'b' } },
        b: { always: { target: 'b', reenter: true, actions: assign({ n: 0 }) } },
      },
    };
    expect(checkChart(machineOf(config)).problems[0]).toContain('ERR_CHART_LOOP');
    expect(() => checkChart(machineOf({ ...config, initial: 'b' }))).toThrow('ERR_CHART_LOOP');
  });
});

describe('what would make an exploration unsound is refused', () => {
  const counting = {
    context: { n: 0 },
    on: { inc: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  };

  it('context without bounds: by the number of states, and what grows', () => {
    expect(() => checkChart(machineOf(counting), { limit: 50 })).toThrow(
      'chart x: after 50 states of at most 50 there are more; context.n alone has 50 values [ERR_CHART_STATES]',
    );
  });

  it('unless a key tells apart what matters', () => {
    const { states } = checkChart(machineOf(counting), { key: ({ context }) => Math.min(context.n, 3) });
    expect(states.map(({ snapshot }) => snapshot.context.n)).toEqual([0, 1, 2, 3]);
  });

  it('context that a key cannot see, with its place; unless a key is given', () => {
    const machine = machineOf({
      context: { deep: [{ callback: () => 1 }] },
      on: { E: { actions: () => {} } },
    });
    expect(() => checkChart(machine)).toThrow(
      'chart x: context.deep.0.callback is a function, which does not tell states apart [ERR_CHART_STATE_KEY]',
    );
    expect(checkChart(machine, { key: () => 'one' }).problems).toEqual([]);
    expect(() => checkChart(machine, { key: () => Symbol('one') })).toThrow('ERR_CHART_STATE_KEY');
  });

  it('an assignment that changes the context in place', () => {
    const push = assign({
      items: ({ context }) => {
        context.items.push('x');
        return context.items;
      },
    });
    const machine = machineOf({ context: { items: [] }, on: { E: { actions: push } } });
    expect(() => checkChart(machine)).toThrow('changes the context in place [ERR_CHART_IMPURE]');
  });

  it('an assignment, or a guard, that goes by chance', () => {
    let count = 0;
    const next = (): number => ++count;
    const assigned = machineOf({ context: { id: 0 }, on: { E: { actions: assign({ id: next }) } } });
    expect(() => checkChart(assigned)).toThrow('assigns something else each time [ERR_CHART_IMPURE]');
    const states = {
      a: { on: { E: [{ guard: () => next() % 2 === 0, target: 'b' }, { target: 'c' }] } },
      b: {},
      c: {},
    };
    expect(() => checkChart(machineOf({ initial: 'a', states }))).toThrow(
      'leads elsewhere each time [ERR_CHART_IMPURE]',
    );
  });

  it("options that are unknown, and events that are XState's own", () => {
    expect(() => checkChart(store(3), { keys: () => 1 } as never)).toThrow('did you mean key?');
    const events = [{ type: 'xstate.done.actor.fetch' }];
    expect(() => checkChart(store(3), { events } as never)).toThrow('children answer under children');
    expect(() => checkChart(store(3), { children: { fetch: { failed: [] } } } as never)).toThrow(
      'ERR_OPTION_UNKNOWN',
    );
  });
});

describe('paths', () => {
  it('take every transition, and lead the real actor to what they say', () => {
    const { paths } = checkChart(store(3));
    expect(paths.map(({ name }) => name)).toEqual([
      'shut {"items":0} after shut',
      'open {"items":0} after put, take',
    ]);
    for (const { steps } of paths) {
      const actor = createActor(store(3)).start();
      for (const { event, snapshot } of steps) {
        actor.send(event);
        expect([actor.getSnapshot().value, actor.getSnapshot().context]).toEqual([
          snapshot.value,
          snapshot.context,
        ]);
      }
    }
  });
});
