/**
 * One step of a recovery, run once: journaled before it begins and after it is over, called with its key and its signal.
 *
 * Invariants: it resolves, whatever the step or the journal do, unless one of them never settles; a step that was let go of
 * before it began does not begin; one that was let go of since writes no more in the journal. It decides nothing.
 */
import { remainingMs } from '../base/deadline.ts';
import type { Host } from '../base/host.ts';
import type { Spec } from '../kernel/spec.ts';
import { type Classification, classificationData, type FailureContext } from './classification.ts';
import type { Journal, JournalEntry } from './journal.ts';
import type { PlannedStep } from './plan.ts';
import { AWAIT_HEALING } from './playbook.ts';

export type StepResult =
  | { readonly outcome: 'done'; readonly value: unknown }
  | {
      readonly outcome: 'failed' | 'failed_for_good';
      readonly error: unknown;
      readonly classification: Classification;
    }
  | { readonly outcome: 'deferred' };

/** What a step stands on. */
export interface StepGround {
  readonly host: Host;
  /** The orchestrator's path. */
  readonly path: string;
  readonly journal: Journal;
  /** Steps that run on after they were let go. */
  readonly stragglers: Set<StepRun>;
  classify(error: unknown, context: FailureContext): Classification;
  get<H>(spec: Spec<H>): H;
  journalFailed(): void;
}

/** What its recovery tells a step. */
export interface StepMission {
  readonly id: string;
  readonly subject: string;
  readonly error: unknown;
  readonly classification: Classification;
  /** What its failures are classified in. */
  readonly context: FailureContext;
  readonly deadline: number;
}

/** Which step of its recovery it is. */
interface Turn {
  /** From 1. */
  readonly attempt: number;
  /** Whether the journal knows of the recovery. */
  readonly opened: boolean;
}

export class StepRun {
  readonly name: string;
  readonly recovery: string;
  readonly #controller = new AbortController();
  readonly #ground: StepGround;
  readonly #mission: StepMission;
  readonly #planned: PlannedStep;
  readonly #attempt: number;
  #phase: 'waiting' | 'running' | 'over' = 'waiting';
  #letGo = false;
  /** Whether the journal knows of its recovery. */
  #opened: boolean;

  constructor(ground: StepGround, mission: StepMission, step: PlannedStep & Turn) {
    this.name = step.name;
    this.recovery = mission.id;
    this.#ground = ground;
    this.#mission = mission;
    this.#planned = step;
    this.#attempt = step.attempt;
    this.#opened = step.opened;
  }

  /** Whether the journal knows of its recovery. */
  get opened(): boolean {
    return this.#opened;
  }

  /** Tells it to stop. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** Nobody waits for it any more: should it be running, it is a straggler until it settles. */
  letGo(): void {
    this.#letGo = true;
    if (this.#phase === 'running') this.#ground.stragglers.add(this);
  }

  /** Never rejects. */
  async execute(): Promise<StepResult> {
    const { signal } = this.#controller;
    try {
      // Of a recovery that is over the journal is told nothing more.
      if (!this.#letGo && !this.#opened) await this.#open();
      if (this.#letGo) return this.#failed(signal.reason);
      await this.#ground.journal.append(this.#beginning());
    } catch (error) {
      this.#ground.journalFailed();
      return this.#failed(error);
    }
    if (signal.aborted || this.#letGo) return this.#failed(signal.reason);
    this.#phase = 'running';
    const result = await this.#call();
    this.#phase = 'over';
    this.#ground.stragglers.delete(this);
    if (!this.#letGo) await this.#note(result);
    return result;
  }

  /** The journal knows of it from the moment it is told: whoever ends it meanwhile has to say so there. */
  async #open(): Promise<void> {
    this.#opened = true;
    try {
      await this.#ground.journal.append(this.#opening());
    } catch (error) {
      this.#opened = false;
      throw error;
    }
  }

  /** The one place where a user's step is called. */
  async #call(): Promise<StepResult> {
    const { id: recovery, subject, error, classification, deadline } = this.#mission;
    const { name: step } = this;
    try {
      const value: unknown = await this.#planned.run({
        recovery,
        subject,
        step,
        key: this.#key,
        attempt: this.#attempt,
        error,
        classification,
        signal: this.#controller.signal,
        deadline,
        get: (spec) => this.#ground.get(spec),
      });
      return value === AWAIT_HEALING ? { outcome: 'deferred' } : { outcome: 'done', value };
    } catch (thrown) {
      return this.#failed(thrown);
    }
  }

  #failed(error: unknown): StepResult {
    const classification = this.#ground.classify(error, this.#mission.context);
    const outcome = classification.remedy.attempts === 0 ? 'failed_for_good' : 'failed';
    return { outcome, error, classification };
  }

  /** Its loss costs no more than a repetition, which changes nothing. */
  async #note({ outcome }: StepResult): Promise<void> {
    const { recovery, name: step } = this;
    try {
      await this.#ground.journal.append({
        kind: 'settled',
        recovery,
        step,
        outcome,
        remainingMs: this.#remainingMs,
      });
    } catch {
      this.#ground.journalFailed();
    }
  }

  get #key(): string {
    return `${this.recovery}/${this.name}`;
  }

  get #remainingMs(): number {
    return remainingMs(this.#ground.host.monotonic(), this.#mission.deadline);
  }

  #opening(): JournalEntry {
    const { recovery } = this;
    const { subject } = this.#mission;
    const classification = classificationData(this.#mission.classification);
    const orchestrator = this.#ground.path;
    return {
      kind: 'opened',
      recovery,
      orchestrator,
      subject,
      classification,
      remainingMs: this.#remainingMs,
    };
  }

  #beginning(): JournalEntry {
    const { recovery, name: step } = this;
    return { kind: 'began', recovery, step, key: this.#key, remainingMs: this.#remainingMs };
  }
}
