/** What outside code does with a supervisor: OTP's operations, with OTP's refusals as codes. */

import { check, fits, text } from '../base/options.ts';
import type { Handle } from '../kernel/logic.ts';
import { PlaceHandle } from '../kernel/place-handle.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';
import type { ChildCounts, ChildListing } from './supervision.ts';

/** The messages behind the operations. */
export type SupervisorMessage =
  | { readonly type: 'which_children' }
  | { readonly type: 'which_child'; readonly id: string }
  | { readonly type: 'count_children' }
  | { readonly type: 'get_child_spec'; readonly id: string }
  | { readonly type: 'start_child'; readonly spec: Spec<unknown> }
  | { readonly type: 'terminate_child'; readonly id: string }
  | { readonly type: 'restart_child'; readonly id: string }
  | { readonly type: 'delete_child'; readonly id: string }
  | { readonly type: 'recycle_child'; readonly id: string };

/** The handle of a supervisor; follows restarts. Operations wait for their end, however long stops and starts take. */
export interface SupervisorHandle extends Handle {
  /** Children, the latest started first (OTP's which_children). */
  whichChildren(): Promise<readonly ChildListing[]>;
  /** One of them (OTP's which_child). @throws ERR_CHILD_NOT_FOUND */
  whichChild(id: string): Promise<ChildListing>;
  countChildren(): Promise<ChildCounts>;
  /** @throws ERR_CHILD_NOT_FOUND */
  childSpec(id: string): Promise<Spec<unknown>>;
  /** Adds a child at the end and starts it. @throws ERR_CHILD_ALREADY_STARTED, ERR_CHILD_ALREADY_PRESENT, ERR_CHILD_START_FAILED */
  startChild<H>(spec: Spec<H>): Promise<H>;
  /** Stops a child and keeps its spec (a temporary one is forgotten). Ends a restart loop or a backoff. @throws ERR_CHILD_NOT_FOUND */
  terminateChild(id: string): Promise<void>;
  /** Starts a stopped child. @throws ERR_CHILD_NOT_FOUND, ERR_CHILD_RUNNING, ERR_CHILD_RESTARTING, ERR_CHILD_START_FAILED */
  restartChild(id: string): Promise<unknown>;
  /** Forgets a stopped child. @throws ERR_CHILD_NOT_FOUND, ERR_CHILD_RUNNING, ERR_CHILD_RESTARTING */
  deleteChild(id: string): Promise<void>;
  /** Asks for an orderly restart that spends no intensity; `already` while one is under way or backing off. */
  recycleChild(id: string): Promise<'restarted' | 'already' | 'failed'>;
}

const NO_LIMIT = { timeoutMs: Number.POSITIVE_INFINITY };

export class HandleOfSupervisor extends PlaceHandle implements SupervisorHandle {
  whichChildren(): Promise<readonly ChildListing[]> {
    return this.#ask({ type: 'which_children' }) as Promise<readonly ChildListing[]>;
  }

  whichChild(id: string): Promise<ChildListing> {
    return this.#ask({ type: 'which_child', id: this.#id('whichChild', id) }) as Promise<ChildListing>;
  }

  countChildren(): Promise<ChildCounts> {
    return this.#ask({ type: 'count_children' }) as Promise<ChildCounts>;
  }

  childSpec(id: string): Promise<Spec<unknown>> {
    return this.#ask({ type: 'get_child_spec', id }) as Promise<Spec<unknown>>;
  }

  async startChild<H>(spec: Spec<H>): Promise<H> {
    check(`startChild of ${this.path}`, 'spec', fits<Spec<H>>('a spec', isSpec), spec);
    const started = await this.#ask({ type: 'start_child', spec: spec as Spec<unknown> });
    return (this.place.handleAt(`${this.path}/${spec.id}`) ?? started) as H;
  }

  async terminateChild(id: string): Promise<void> {
    await this.#ask({ type: 'terminate_child', id: this.#id('terminateChild', id) });
  }

  async restartChild(id: string): Promise<unknown> {
    const started = await this.#ask({ type: 'restart_child', id: this.#id('restartChild', id) });
    return this.place.handleAt(`${this.path}/${id}`) ?? started;
  }

  async deleteChild(id: string): Promise<void> {
    await this.#ask({ type: 'delete_child', id: this.#id('deleteChild', id) });
  }

  recycleChild(id: string): Promise<'restarted' | 'already' | 'failed'> {
    const asked = this.#ask({ type: 'recycle_child', id: this.#id('recycleChild', id) });
    return asked as Promise<'restarted' | 'already' | 'failed'>;
  }

  #id(operation: string, id: unknown): string {
    return check(`${operation} of ${this.path}`, 'id', text, id);
  }

  #ask(message: SupervisorMessage): Promise<unknown> {
    return this.place.call(message, NO_LIMIT);
  }
}
