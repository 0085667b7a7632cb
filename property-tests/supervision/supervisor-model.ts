/**
 * OTP's static supervisor as a pure function of what happens to it: who is stopped and started, in which order, and what is
 * answered. Written from the documentation of OTP (supervisor(3), "Supervision Principles"), not from the code it judges.
 *
 * It knows no backoff: a restart follows at once. Failed starts come from a list for each child.
 */
import type { Strategy } from '../../src/supervision/static-supervisor.ts';

export type Restart = 'permanent' | 'transient' | 'temporary';

export interface ChildRule {
  readonly id: string;
  readonly restart: Restart;
  /** Whether its n-th start succeeds; past the end it does. */
  readonly starts: readonly boolean[];
}

interface ModelChild {
  readonly rule: ChildRule;
  status: 'running' | 'stopped' | 'restarting';
}

export interface ModelRules {
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly periodMs: number;
}

export class SupervisorModel {
  readonly #rules: ModelRules;
  children: ModelChild[] = [];
  alive = true;
  nowMs = 0;
  /** What happened since last asked: `+a2`, `-a1`, `!a3`. */
  #log: string[] = [];
  readonly #counts = new Map<string, number>();
  #restarts: number[] = [];

  constructor(rules: ModelRules, children: readonly ChildRule[]) {
    this.#rules = rules;
    for (const rule of children) {
      const child: ModelChild = { rule, status: 'stopped' };
      this.children.push(child);
      if (this.#start(child)) continue;
      this.#stopAll();
      this.alive = false;
      return;
    }
  }

  news(): string[] {
    const log = this.#log;
    this.#log = [];
    return log;
  }

  find(id: string): ModelChild | undefined {
    return this.children.find((child) => child.rule.id === id);
  }

  // ── what happens to children ────────────────────────────────────────────────────────────────

  /** A running child ends; `log` where it has the time to say so. */
  ended(id: string, how: { readonly clean: boolean; readonly logs: boolean }): void {
    const child = this.find(id);
    if (child?.status !== 'running') return;
    if (how.logs) this.#log.push(`-${id}${this.#counts.get(id)}`);
    const { restart } = child.rule;
    if (restart === 'permanent' || (restart === 'transient' && !how.clean)) {
      child.status = 'restarting';
      this.#restart(child);
    } else {
      child.status = 'stopped';
      if (restart === 'temporary') this.#forget(child);
    }
  }

  #restart(failed: ModelChild): void {
    let child: ModelChild | undefined = failed;
    while (child !== undefined) {
      if (!this.#mayRestart()) {
        child.status = 'stopped';
        this.#stopAll();
        this.alive = false;
        return;
      }
      child = this.#restartOnce(child);
    }
  }

  /** Returns the child that did not start, for another try. */
  #restartOnce(failed: ModelChild): ModelChild | undefined {
    const { strategy } = this.#rules;
    const from = strategy === 'one_for_all' ? 0 : this.children.indexOf(failed);
    const to = strategy === 'one_for_one' ? from + 1 : this.children.length;
    for (const child of this.children.slice(from, to).reverse()) {
      if (child === failed) continue;
      this.#stop(child);
      if (child.rule.restart === 'temporary') this.#forget(child);
    }
    const group = strategy === 'one_for_one' ? [failed] : this.children.slice(from);
    for (const child of group) {
      if (this.#start(child)) continue;
      child.status = 'restarting';
      return child;
    }
    return undefined;
  }

  #mayRestart(): boolean {
    const { intensity, periodMs } = this.#rules;
    this.#restarts = [...this.#restarts.filter((at) => at >= this.nowMs - periodMs), this.nowMs];
    return this.#restarts.length <= intensity;
  }

  #start(child: ModelChild): boolean {
    const { id, starts } = child.rule;
    const n = (this.#counts.get(id) ?? 0) + 1;
    this.#counts.set(id, n);
    const ok = starts[n - 1] ?? true;
    this.#log.push(`${ok ? '+' : '!'}${id}${n}`);
    if (ok) child.status = 'running';
    return ok;
  }

  #stop(child: ModelChild): void {
    if (child.status === 'running') this.#log.push(`-${child.rule.id}${this.#counts.get(child.rule.id)}`);
    child.status = 'stopped';
  }

  #stopAll(): void {
    for (const child of [...this.children].reverse()) this.#stop(child);
  }

  #forget(child: ModelChild): void {
    this.children = this.children.filter((other) => other !== child);
  }

  // ── operations ──────────────────────────────────────────────────────────────────────────────

  startChild(rule: ChildRule): string {
    const known = this.find(rule.id);
    if (known !== undefined)
      return known.status === 'running' ? 'ERR_CHILD_ALREADY_STARTED' : 'ERR_CHILD_ALREADY_PRESENT';
    const child: ModelChild = { rule, status: 'stopped' };
    this.children.push(child);
    if (this.#start(child)) return 'ok';
    this.#forget(child);
    return 'ERR_CHILD_START_FAILED';
  }

  terminateChild(id: string): string {
    const child = this.find(id);
    if (child === undefined) return 'ERR_CHILD_NOT_FOUND';
    this.#stop(child);
    if (child.rule.restart === 'temporary') this.#forget(child);
    return 'ok';
  }

  restartChild(id: string): string {
    const child = this.find(id);
    if (child === undefined) return 'ERR_CHILD_NOT_FOUND';
    if (child.status !== 'stopped') return 'ERR_CHILD_RUNNING';
    return this.#start(child) ? 'ok' : 'ERR_CHILD_START_FAILED';
  }

  deleteChild(id: string): string {
    const child = this.find(id);
    if (child === undefined) return 'ERR_CHILD_NOT_FOUND';
    if (child.status !== 'stopped') return 'ERR_CHILD_RUNNING';
    this.#forget(child);
    return 'ok';
  }

  shutdown(): void {
    this.#stopAll();
    this.alive = false;
  }
}
