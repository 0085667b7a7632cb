/**
 * The life of a scope of tasks. It is what runs: `src/coordination/scope.ts` performs what its actions ask for.
 *
 * Invariant: it only moves forward; once closing it admits nothing; whatever the tasks do there is a way to the end, because
 * each kind has a share of the time that is left. It keeps no time: shares pass as events.
 */
import { setup } from 'xstate';

/** In the order in which they are cancelled. */
export type TaskKind = 'lifecycle' | 'system' | 'background';

export type ScopeEvent =
  | { readonly type: 'close' }
  | { readonly type: 'kind.over' }
  | { readonly type: 'share.passed' };

const noop = (): void => {};

const cancel = (kind: TaskKind, shares: number) => ({ type: 'cancel', params: { kind, shares } }) as const;
const next = (target: string) => ({ 'kind.over': target, 'share.passed': target });

export const scopeMachine = setup({
  types: { events: {} as ScopeEvent },
  actions: {
    /** No task starts from now on; what runs in the scope's name hears of it. */
    refuse: () => noop(),
    /** Cancel the tasks of one kind. They have one of so many equal shares of the time that is left. */
    cancel: (_, _params: { kind: TaskKind; shares: number }) => noop(),
    /** It is over: whoever still runs is a straggler. */
    conclude: () => noop(),
  },
}).createMachine({
  id: 'scope',
  description: 'The life of a scope of tasks.',
  initial: 'open',
  meta: {
    events: {
      close: 'It is told to end: by its owner, by a failure, or because all of its tasks have ended.',
      'kind.over': 'No task of the kind being cancelled runs any more.',
      'share.passed': 'Their share of the time is used up.',
    },
  },
  states: {
    open: { description: 'Tasks start, run and end.', on: { close: 'cancelling_lifecycle' } },
    cancelling_lifecycle: {
      description: 'What carries the work is cancelled first.',
      entry: [{ type: 'refuse' }, cancel('lifecycle', 3)],
      on: next('cancelling_system'),
    },
    cancelling_system: {
      description: 'Then what served it.',
      entry: cancel('system', 2),
      on: next('cancelling_background'),
    },
    cancelling_background: {
      description: 'Then what ran beside it.',
      entry: cancel('background', 1),
      on: next('closed'),
    },
    closed: {
      description: 'Over; the report names who did not end.',
      type: 'final',
      entry: { type: 'conclude' },
    },
  },
});
