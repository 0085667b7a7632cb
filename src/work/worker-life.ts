/**
 * The life of one worker as its chart has it: where it stands, what that means for those who would give it work, and how it
 * came there.
 *
 * Invariant: the chart is the only authority; this steps it, keeps its two verdicts and notes each transition with its
 * reason. What the chart asks for is carried out by the worker.
 */
import {
  type LeaseVerdict,
  type PoolWorkerEvent,
  poolWorkerMachine,
} from '../../actors/pool-worker.machine.ts';
import type { ChartSnapshot, Step } from '../chart/chart.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import {
  type Moved,
  type TransitionMetadata,
  WorkerHistory,
  type WorkerTransition,
} from './worker-history.ts';

/** What carries out what the chart asks for, and hears of its transitions. */
export interface LifeSubject {
  probe(): void;
  closePort(): void;
  killPort(): void;
  retire(): void;
  /** `transition` is good only until it returns. */
  moved(transition: Moved, inStateMs: number): void;
  /** Of every step, also of those in which it did not move on. */
  stepped(step: Step, event: PoolWorkerEvent): void;
}

/** What befalls a worker, but for a missed check, which carries its figures. One object each: two are on the way of every job. */
export const WORKER_EVENTS = {
  portReady: { type: 'port.ready' },
  leaseTaken: { type: 'lease.taken' },
  leaseReturned: { type: 'lease.returned' },
  workDoubted: { type: 'work.doubted' },
  checkPassed: { type: 'check.passed' },
  closeWanted: { type: 'close.wanted' },
  killWanted: { type: 'kill.wanted' },
  portBroke: { type: 'port.broke' },
  portLost: { type: 'port.lost' },
  portEnded: { type: 'port.ended' },
} as const satisfies Readonly<Record<string, PoolWorkerEvent>>;

const chart = compileChart(poolWorkerMachine);

const regionsOf = (snapshot: ChartSnapshot): { readonly lifecycle: string; readonly health: string } =>
  snapshot.value as { lifecycle: string; health: string };

export class WorkerLife {
  readonly #subject: LifeSubject;
  readonly #history: WorkerHistory;
  readonly #runner;
  #lease: LeaseVerdict = 'withhold';
  #sound = false;
  #before: ChartSnapshot = chart.initial.snapshot;
  /** Why and when it is being stepped. */
  #why = '';
  #now = 0;
  #metadata: TransitionMetadata | undefined = undefined;
  /** The last transition; one for all, as two are on the way of every job. */
  readonly #moved: { -readonly [K in keyof Moved]: Moved[K] } = {
    from: '',
    to: '',
    reason: '',
    metadata: undefined,
  };

  constructor(subject: LifeSubject, now: number) {
    this.#subject = subject;
    this.#history = new WorkerHistory(now);
    this.#runner = new ChartRunner({
      chart,
      perform: {
        decide: ({ lease }) => {
          this.#lease = lease;
        },
        judge: ({ sound }) => {
          this.#sound = sound;
        },
        probe: () => subject.probe(),
        closePort: () => subject.closePort(),
        killPort: () => subject.killPort(),
        retire: () => subject.retire(),
      },
      onStep: (step, event) => {
        this.#note(step.snapshot);
        subject.stepped(step, event);
      },
    });
    this.#runner.start();
  }

  /** Whether it may be given work: both regions say so. */
  get offers(): boolean {
    return this.#lease === 'offer' && this.#sound;
  }

  /** Whether it takes work, now or when it is given back. */
  get isFit(): boolean {
    return this.#lease !== 'never' && this.#sound;
  }

  /** Whether it will never be given work again. */
  get isOver(): boolean {
    return this.#lease === 'never';
  }

  /** The instant at which it entered the state it is in. */
  get since(): number {
    return this.#history.since;
  }

  /** Its two regions, for people. */
  get states(): { readonly state: string; readonly health: string; readonly sinceMs: number } {
    const { lifecycle, health } = regionsOf(this.#runner.snapshot);
    return { state: lifecycle, health, sinceMs: this.#history.since };
  }

  history(): readonly WorkerTransition[] {
    return this.#history.list();
  }

  step(event: PoolWorkerEvent, reason: string, now: number, metadata?: TransitionMetadata): void {
    this.#why = reason;
    this.#now = now;
    this.#metadata = metadata;
    this.#runner.send(event);
  }

  #note(after: ChartSnapshot): void {
    const from = regionsOf(this.#before).lifecycle;
    const to = regionsOf(after).lifecycle;
    this.#before = after;
    if (from === to) return;
    const moved = this.#moved;
    moved.from = from;
    moved.to = to;
    moved.reason = this.#why;
    moved.metadata = this.#metadata;
    this.#subject.moved(moved, this.#history.note(moved, this.#now));
  }
}
