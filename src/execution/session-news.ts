/** What a session tells as events: what it did, never what it was given or printed. Contains no decision. */
import type { EventStream } from '../base/telemetry.ts';
import { stepNews } from '../chart/runner.ts';
import type { EndReport } from '../work/worker-end.ts';
import type { AuditChunk, Checkpoint } from './chunks.ts';
import type { ExecutionOutcome } from './execution.ts';
import type { LifeTransition } from './session-life.ts';

export class SessionNews {
  readonly #events: EventStream;
  readonly #path: string;
  readonly #language: string;
  /** Hears every step of the chart. */
  readonly stepped: ReturnType<typeof stepNews>;

  constructor(events: EventStream, path: string, language: string) {
    this.#events = events;
    this.#path = path;
    this.#language = language;
    this.stepped = stepNews(events, path);
  }

  moved(transition: LifeTransition): void {
    if (this.#events.active) this.#events.emit('session.transitioned', { path: this.#path, ...transition });
  }

  started(pid: number | undefined, startMs: number): void {
    if (!this.#events.active) return;
    this.#events.emit('session.started', { path: this.#path, language: this.#language, pid, startMs });
  }

  ended({ pid, end, breach }: EndReport, how: string): void {
    if (!this.#events.active) return;
    const cause = breach ?? end?.error;
    const facts = { path: this.#path, pid, how, lastStderr: end?.lastStderr ?? [] };
    this.#events.emit('session.ended', cause === undefined ? facts : { ...facts, cause });
  }

  stderr(pid: number | undefined, line: string): void {
    if (this.#events.active) this.#events.emit('session.stderr', { path: this.#path, pid, line });
  }

  dropped(why: string): void {
    if (this.#events.active) this.#events.emit('session.reply.dropped', { path: this.#path, why });
  }

  executing(execution: string, waitMs: number): void {
    if (!this.#events.active) return;
    this.#events.emit('session.execution.started', { path: this.#path, execution, waitMs });
  }

  executed(execution: string, outcome: ExecutionOutcome, durationMs: number): void {
    if (!this.#events.active) return;
    const facts = { path: this.#path, execution, durationMs };
    this.#events.emit(
      'session.execution.settled',
      'error' in outcome
        ? { ...facts, outcome: 'failed', error: outcome.error }
        : { ...facts, outcome: 'succeeded' },
    );
  }

  stopping(execution: string, why: string): void {
    if (!this.#events.active) return;
    this.#events.emit('session.execution.stopping', { path: this.#path, execution, why });
  }

  interrupted(execution: string, why: string): void {
    if (!this.#events.active) return;
    this.#events.emit('session.execution.interrupted', { path: this.#path, execution, why });
  }

  throttled(execution: string, linesPerSecond: number): void {
    if (!this.#events.active) return;
    this.#events.emit('session.output.throttled', { path: this.#path, execution, linesPerSecond });
  }

  audited(execution: string, { capability, action, allowed }: AuditChunk): void {
    if (!this.#events.active) return;
    this.#events.emit('session.capability.checked', {
      path: this.#path,
      execution,
      capability,
      action,
      allowed,
    });
  }

  kept({ kept, lost }: Checkpoint, bytes: number): void {
    if (!this.#events.active) return;
    const counts = { kept: kept.length, lost: lost.length, bytes };
    this.#events.emit('session.checkpoint.taken', { path: this.#path, ...counts });
  }

  notKept(error: unknown): void {
    if (this.#events.active) this.#events.emit('session.checkpoint.failed', { path: this.#path, error });
  }

  restored(restored: number, lost: number): void {
    if (this.#events.active) this.#events.emit('session.restored', { path: this.#path, restored, lost });
  }
}
