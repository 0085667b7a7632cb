/**
 * The life of one client's connection. It is what runs: `src/coordination/connection.ts` performs what its actions ask for.
 *
 * Invariant: it only moves forward; whatever the client, the producer and the clean-up do there is a way to the end, and on every
 * way the line is let go of once and the clean-up begins once. It keeps no time: what is up passes as an event.
 */
import { setup } from 'xstate';

export type ConnectionEvent =
  /** It is to end in order: what waits is written first. */
  | { readonly type: 'drain' }
  /** Nothing waits any more. */
  | { readonly type: 'flushed' }
  /** The line is gone, or must not be used any more. */
  | { readonly type: 'line.over' }
  | { readonly type: 'time.up' }
  | { readonly type: 'cleaned' };

const noop = (): void => {};

export const connectionMachine = setup({
  types: { events: {} as ConnectionEvent },
  actions: {
    /** Nothing is taken for it any more; its signal aborts. */
    refuse: noop,
    /** Write what waits, and say when that is done or its time is up. */
    flush: noop,
    /** Tell the client that this was all, and say when it has been taken or its time is up. */
    finishLine: noop,
    /** Whatever state the line is in: it is over. What still waits is dropped. */
    cutLine: noop,
    /** Run the clean-up, and say when it is done or its time is up. */
    cleanUp: noop,
    /** It is over: whoever waits for its end is told. */
    conclude: noop,
  },
}).createMachine({
  id: 'connection',
  description: 'The life of one connection to a client.',
  initial: 'open',
  meta: {
    events: {
      drain: 'It is told to end in order.',
      flushed: 'All that waited has been written.',
      'line.over': 'The client has gone, takes nothing, the line failed, or it is cut.',
      'time.up': 'What is being done has had its time.',
      cleaned: 'The clean-up has come to its end.',
    },
  },
  states: {
    open: {
      description: 'Frames are taken and written.',
      on: { drain: 'flushing', 'line.over': { target: 'cleaning', actions: 'refuse' } },
    },
    flushing: {
      description: 'No more is taken; what waits is written.',
      entry: ['refuse', 'flush'],
      on: { flushed: 'finishing', 'line.over': 'cleaning', 'time.up': 'cleaning' },
    },
    finishing: {
      description: 'The client is told that this was all.',
      entry: 'finishLine',
      on: { 'line.over': 'cleaning', 'time.up': 'cleaning' },
    },
    cleaning: {
      description: 'The line is gone; what was held for the client is let go of.',
      entry: ['cutLine', 'cleanUp'],
      on: { cleaned: 'closed', 'time.up': 'closed' },
    },
    closed: {
      description: 'Over.',
      type: 'final',
      entry: 'conclude',
    },
  },
});
