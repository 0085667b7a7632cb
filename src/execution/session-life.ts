/**
 * The life of one process of a session as its chart has it, with the chart's timers.
 *
 * Invariant: the chart is the only authority; this steps it, keeps its verdict and tells of each transition with its reason. What
 * the chart asks for is carried out by the process.
 */
import { type SessionEvent, sessionMachine, type TakeVerdict } from '../../actors/session.machine.ts';
import type { Host } from '../base/host.ts';
import type { ChartSnapshot, Step } from '../chart/chart.ts';
import { compileChart } from '../chart/compile.ts';
import { ChartRunner } from '../chart/runner.ts';
import { WorkerHistory, type WorkerTransition } from '../work/worker-history.ts';

/** What carries out what the chart asks for, and hears of its transitions. */
export interface LifeSubject {
  open(): void;
  takeCheckpoint(): void;
  askCancel(): void;
  interrupt(): void;
  blame(why: string): void;
  closePort(): void;
  killPort(): void;
  retire(): void;
  moved(transition: LifeTransition): void;
  stepped(step: Step, event: SessionEvent): void;
}

export interface LifeTransition {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** How long it was in `from`, ms. */
  readonly inStateMs: number;
}

/** How long the stages of a life may take, ms. */
export interface LifeSettings {
  readonly readyTimeoutMs: number;
  readonly cancelGraceMs: number;
  readonly interruptGraceMs: number;
  readonly closeGraceMs: number;
}

const chart = compileChart(sessionMachine);

const regionsOf = (snapshot: ChartSnapshot): { readonly lifecycle: string; readonly execution: string } =>
  snapshot.value as { lifecycle: string; execution: string };

export class SessionLife {
  readonly #host: Host;
  readonly #subject: LifeSubject;
  readonly #runner;
  #take: TakeVerdict = 'withhold';
  #at = regionsOf(chart.initial.snapshot).lifecycle;
  readonly #history: WorkerHistory;
  #why = '';

  constructor(host: Host, settings: LifeSettings, subject: LifeSubject) {
    this.#host = host;
    this.#subject = subject;
    this.#history = new WorkerHistory(host.monotonic());
    const { readyTimeoutMs, cancelGraceMs, interruptGraceMs, closeGraceMs } = settings;
    const startedAt = this.#history.since;
    this.#runner = new ChartRunner({
      chart,
      perform: {
        decide: ({ take }) => {
          this.#take = take;
        },
        open: () => subject.open(),
        takeCheckpoint: () => subject.takeCheckpoint(),
        askCancel: () => subject.askCancel(),
        interrupt: () => subject.interrupt(),
        blame: ({ why }) => subject.blame(why),
        closePort: () => subject.closePort(),
        killPort: () => subject.killPort(),
        retire: () => subject.retire(),
      },
      delays: {
        // One deadline from the launch until it takes code, however much of it the first word takes.
        readyMs: () => Math.max(0, startedAt + readyTimeoutMs - host.monotonic()),
        cancelGraceMs: () => cancelGraceMs,
        interruptGraceMs: () => interruptGraceMs,
        closeGraceMs: () => closeGraceMs,
      },
      timer: (delayMs, label, fire) => host.timer(delayMs, `session ${label}`, fire),
      onStep: (step, event) => {
        this.#note(step.snapshot);
        subject.stepped(step, event);
      },
    });
  }

  start(): void {
    this.#runner.start();
  }

  /** Whether it takes code now. */
  get offers(): boolean {
    return this.#take === 'offer';
  }

  /** Whether it will never take code again. */
  get isOver(): boolean {
    return this.#take === 'never';
  }

  /** Where it stands, for people. */
  get state(): string {
    return this.#at;
  }

  /** How far a cancellation has come, for people. */
  get stage(): string {
    return regionsOf(this.#runner.snapshot).execution;
  }

  get since(): number {
    return this.#history.since;
  }

  /** Its last transitions, oldest first; at most 32. */
  history(): readonly WorkerTransition[] {
    return this.#history.list();
  }

  step(event: SessionEvent, reason: string): void {
    this.#why = reason;
    this.#runner.send(event);
  }

  #note(after: ChartSnapshot): void {
    const from = this.#at;
    const to = regionsOf(after).lifecycle;
    if (from === to) return;
    const moved = { from, to, reason: this.#why, metadata: undefined };
    const inStateMs = this.#history.note(moved, this.#host.monotonic());
    this.#at = to;
    this.#subject.moved({ from, to, reason: this.#why, inStateMs });
  }
}
