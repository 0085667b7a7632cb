/** Bugs of a pool, over scripted workers and over worker processes. */
import { createError } from '../../../src/base/errors.ts';
import { SystemOfActors } from '../../../src/kernel/system.ts';
import { ScriptedPort } from '../../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../../src/testing/simulated-host.ts';
import { SimulatedProcess } from '../../../src/testing/simulated-process.ts';
import { Crew } from '../../../src/work/crew.ts';
import { Desk } from '../../../src/work/desk.ts';
import { FairLine } from '../../../src/work/fair-line.ts';
import { Job } from '../../../src/work/job.ts';
import { PoolWorker } from '../../../src/work/pool-worker.ts';
import { Staff } from '../../../src/work/staff.ts';
import { Ticket } from '../../../src/work/ticket.ts';
import type { AnyScenario } from '../scenarios/index.ts';
import { poolAlone } from '../scenarios/pool.ts';
import { processWorkers } from '../scenarios/processes.ts';
import { type Bug, forgetful, type Method, nothing, twice } from './plant.ts';

const scenario = poolAlone as AnyScenario;
const processes = processWorkers as AnyScenario;

/** A job that died is run once more, whatever may be repeated. */
const again = (original: Method): Method =>
  function (this: Job, ...args: never[]) {
    if (this.settled || !this.desk.serves) return Reflect.apply(original, this as never, args);
    return this.desk.requeue(this, this.desk.host.monotonic());
  } as Method;

export const POOL_BUGS: readonly Bug[] = [
  {
    bug: 'a worker is given its job twice',
    scenario,
    violates: ['one job a worker'],
    plant: (put) => put(PoolWorker, 'run', twice),
  },
  {
    bug: 'a job that died is always tried again',
    scenario,
    violates: ['run once unless idempotent'],
    plant: (put) => put(Job, 'died', again),
  },
  {
    bug: 'a job that is over stays in line',
    scenario,
    violates: ['settled jobs do not start'],
    plant: (put) => put(Desk, 'leaveLine', nothing),
  },
  {
    bug: 'the last are served first',
    scenario,
    violates: ['first in, first served'],
    plant: (put) =>
      put(
        FairLine,
        'push',
        (original) =>
          function (this: FairLine<never>, item: never) {
            if (this.size === 0) Reflect.apply(original, this as never, [item]);
            else this.unshift(item);
          } as Method,
      ),
  },
  {
    bug: 'a place is filled twice',
    scenario,
    violates: ['never more workers than places'],
    plant: (put) => put(Crew, 'recruit', twice),
  },
  {
    bug: 'an ending is not counted',
    scenario,
    violates: ['what was let in is accounted for'],
    plant: (put) => put(Desk, 'settled', nothing),
  },
  {
    bug: 'deadlines pass unnoticed',
    scenario,
    violates: ['nobody waits beyond his deadline'],
    plant: (put) => {
      put(Ticket, 'expire', nothing);
      put(Job, 'overdue', nothing);
    },
  },
  {
    bug: 'a drain is over at once',
    scenario,
    violates: ['a drain leaves nothing waiting', 'a drain leaves no worker'],
    plant: (put) =>
      put(
        Crew,
        'drain',
        (original) =>
          async function (this: never, ...args: never[]) {
            void Reflect.apply(original, this, args);
          } as Method,
      ),
  },
  {
    bug: 'a drain tells late that it is over',
    scenario,
    violates: ['a drain ends in time'],
    plant: (put) =>
      put(
        Crew,
        'drain',
        (original) =>
          async function (this: Crew, ...args: never[]) {
            await Reflect.apply(original, this as never, args);
            await new Promise<void>((resolve) => this.host.timer(4_000, 'planted', resolve));
          } as Method,
      ),
  },
  {
    bug: 'a drain never ends',
    scenario,
    violates: ['every drain settles'],
    plant: (put) => put(Crew, 'drain', () => () => new Promise(() => undefined)),
  },
  {
    bug: 'who is turned away is not told what became of his job',
    scenario,
    violates: ['every rejection tells its outcome'],
    plant: (put) =>
      put(
        Job,
        'turnAway',
        (original) =>
          function (this: Job) {
            return Reflect.apply(original, this as never, [new Error('no')] as never);
          } as Method,
      ),
  },
  {
    bug: 'a job that died is said not to have started',
    scenario,
    violates: ['what is said not to have started has not'],
    plant: (put) =>
      put(
        Job,
        'died',
        () =>
          function (this: Job) {
            this.turnAway(createError('ERR_POOL_ABORTED', { pool: 'pool' }, { outcome: 'not_started' }));
          } as Method,
      ),
  },
  {
    bug: 'a job dies with its worker, and nobody is told',
    scenario,
    violates: ['every job settles'],
    plant: (put) => {
      put(Job, 'died', nothing);
      put(Job, 'overdue', nothing);
    },
  },
  {
    bug: 'a lost worker is not missed',
    scenario,
    violates: ['all places are filled', 'liveness'],
    plant: (put) => put(Staff, 'refill', nothing),
  },
  {
    bug: 'workers cannot be ended',
    scenario,
    violates: ['no worker lives'],
    plant: (put) => {
      put(ScriptedPort, 'kill', nothing);
      put(ScriptedPort, 'close', nothing);
    },
  },
  {
    bug: 'an end is not counted',
    scenario,
    violates: ['nothing is left'],
    plant: (put) => put(SystemOfActors, 'actorEnded', nothing),
  },
  {
    bug: 'processes live on when they are killed',
    scenario: processes,
    violates: ['no process is left to itself', 'no process lives'],
    plant: (put) => {
      put(SimulatedProcess, 'kill', () => () => true);
      put(SimulatedProcess, 'endInput', nothing);
    },
  },
  {
    bug: 'a job dies with its process, and nobody is told',
    scenario: processes,
    violates: ['every job settles'],
    plant: (put) => {
      put(Job, 'died', nothing);
      put(Job, 'overdue', nothing);
    },
  },
  {
    bug: 'a lost process is not missed',
    scenario: processes,
    violates: ['liveness'],
    plant: (put) => put(Staff, 'refill', nothing),
  },
  {
    bug: 'a job that died is always tried again',
    scenario: processes,
    violates: ['run once unless idempotent'],
    plant: (put) => put(Job, 'died', again),
  },
  {
    bug: 'an answer is another one',
    scenario: processes,
    violates: ['the answer is to the job'],
    plant: (put) =>
      put(
        Job,
        'succeeded',
        (original) =>
          function (this: Job, value: number, now: number) {
            return Reflect.apply(original, this as never, [value + 1, now] as never);
          } as Method,
      ),
  },
  {
    bug: 'nobody calls his timers off',
    scenario: processes,
    violates: ['nothing is left'],
    plant: (put) => put(SimulatedHost, 'timer', forgetful),
  },
];
