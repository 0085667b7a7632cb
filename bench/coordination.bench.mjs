/**
 * What runs between actors: a lock beside async-mutex's, a bus beside emittery, a task of a scope beside a bare promise. Nobody
 * listens to events, and all have their defaults.
 *
 * async-mutex has no deadlines, owners, tokens or inspection, and one key is one Mutex; ours is asked by key. emittery calls
 * all listeners of an event at once, and awaits them; ours hands each subscriber one event at a time from a queue of its own,
 * so both are measured until the last listener has had the last event.
 */
import { Mutex } from 'async-mutex';
import Emittery from 'emittery';
import { createBus, createLocks, createScope } from '../dist/index.js';

const work = async () => 1;
const CONTENDERS = 64;
/** Events published before anybody waits for their delivery, below the capacity of a queue. */
const BURST = 500;

const alone = () => {
  const locks = createLocks();
  const mutex = new Mutex();
  return {
    contestants: {
      troupe: async (count) => {
        for (let i = 0; i < count; i++) await locks.use('key', work);
      },
      'async-mutex': async (count) => {
        for (let i = 0; i < count; i++) await mutex.runExclusive(work);
      },
    },
  };
};

/** All ask at once, again and again. */
const crowd = (use) => async (count) => {
  for (let done = 0; done < count; done += CONTENDERS)
    await Promise.all(Array.from({ length: Math.min(CONTENDERS, count - done) }, () => use()));
};

const contended = () => {
  const locks = createLocks();
  const mutex = new Mutex();
  return {
    contestants: {
      troupe: crowd(() => locks.use('key', work)),
      'async-mutex': crowd(() => mutex.runExclusive(work)),
    },
  };
};

const emit = (listeners) => () => {
  const bus = createBus();
  const emitter = new Emittery();
  let heard = 0;
  for (let i = 0; i < listeners; i++) {
    // One of its own for each: emittery takes the same function only once.
    const hear = () => {
      heard += 1;
    };
    bus.subscribe('topic', hear);
    emitter.on('topic', hear);
  }
  return {
    contestants: {
      troupe: async (count) => {
        const before = heard;
        for (let i = 0; i < count; i++) {
          bus.publish('topic', i);
          if (i % BURST === BURST - 1) await bus.idle();
        }
        await bus.idle();
        if (heard - before !== count * listeners)
          throw new Error(`${heard - before} of ${count * listeners}`);
      },
      emittery: async (count) => {
        const before = heard;
        for (let done = 0; done < count; done += BURST)
          await Promise.all(
            Array.from({ length: Math.min(BURST, count - done) }, (_, i) => emitter.emit('topic', i)),
          );
        if (heard - before !== count * listeners)
          throw new Error(`${heard - before} of ${count * listeners}`);
      },
    },
    close: () => bus.close(),
  };
};

const task = () => {
  const scope = createScope();
  return {
    contestants: {
      troupe: async (count) => {
        for (let i = 0; i < count; i++) await scope.start('task', work).result;
      },
      'bare promise': async (count) => {
        for (let i = 0; i < count; i++) await work();
      },
    },
    close: () => scope.close(),
  };
};

export const suite = [
  { case: 'lock uncontended', per: 'use', open: alone, aims: { 'async-mutex': 1 } },
  { case: 'lock contended', per: 'use', open: contended, aims: { 'async-mutex': 1 } },
  { case: 'bus emit 1', per: 'event', open: emit(1), aims: { emittery: 1 } },
  { case: 'bus emit 100', per: 'event', open: emit(100), aims: { emittery: 1 } },
  { case: 'task', per: 'task', open: task, aims: { 'bare promise': 1 } },
];
