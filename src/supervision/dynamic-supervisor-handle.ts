/** What outside code does with a dynamic supervisor, with and without a template. */

import { check, fits, identifier, text } from '../base/options.ts';
import type { Handle } from '../kernel/logic.ts';
import { PlaceHandle } from '../kernel/place-handle.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';
import type { ChildCounts, ChildListing } from './supervision.ts';

/** The handle of a dynamic supervisor; follows restarts. */
export interface DynamicSupervisorHandle extends DynamicOperations {
  /**
   * Starts a child under its spec's id and resolves with its handle, or with `undefined` where its init chose not to run.
   *
   * @throws ERR_MAX_CHILDREN, ERR_CHILD_ALREADY_STARTED, ERR_CHILD_START_FAILED, ERR_OPTION_INVALID
   */
  startChild<H>(spec: Spec<H>): Promise<H>;
}

/** The handle of a dynamic supervisor with a template. */
export interface TemplateSupervisorHandle<H> extends DynamicOperations {
  /**
   * Starts a child from the template under a key, with an input of its own where one is given.
   *
   * @throws ERR_MAX_CHILDREN, ERR_CHILD_ALREADY_STARTED, ERR_CHILD_START_FAILED, ERR_OPTION_INVALID
   */
  startChild(key: string, input?: unknown): Promise<H>;
  child(key: string): H | undefined;
}

/** What every dynamic supervisor does. */
export interface DynamicOperations extends Handle {
  /** Stops and forgets a child. @throws ERR_CHILD_NOT_FOUND */
  terminateChild(id: string): Promise<void>;
  /** The handle of a child, or `undefined`. Reads without asking. */
  child(id: string): unknown;
  /** The latest started first. */
  whichChildren(): Promise<readonly ChildListing[]>;
  /** @throws ERR_CHILD_NOT_FOUND */
  whichChild(id: string): Promise<ChildListing>;
  /** With a template `specs` is 1: the template (OTP). */
  countChildren(): Promise<ChildCounts>;
  /** @throws ERR_CHILD_NOT_FOUND */
  childSpec(id: string): Promise<Spec<unknown>>;
}

/** The messages behind the operations. */
export type DynamicMessage =
  | { readonly type: 'start_child'; readonly spec: Spec<unknown> }
  | { readonly type: 'start_from_template'; readonly key: string; readonly input: unknown }
  | { readonly type: 'which_child'; readonly id: string }
  | { readonly type: 'get_child_spec'; readonly id: string }
  | { readonly type: 'terminate_child'; readonly id: string }
  | { readonly type: 'which_children' }
  | { readonly type: 'count_children' };

const NO_LIMIT = { timeoutMs: Number.POSITIVE_INFINITY };

export class HandleOfDynamicSupervisor extends PlaceHandle implements DynamicOperations {
  async startChild(specOrKey: unknown, input?: unknown): Promise<unknown> {
    const where = `startChild of ${this.path}`;
    if (typeof specOrKey === 'string') {
      const key = check(where, 'key', identifier, specOrKey);
      const started = await this.place.call({ type: 'start_from_template', key, input }, NO_LIMIT);
      return this.place.handleAt(`${this.path}/${key}`) ?? started;
    }
    const spec = check(where, 'spec', fits<Spec<unknown>>('a spec, or a key', isSpec), specOrKey);
    const started = await this.place.call({ type: 'start_child', spec }, NO_LIMIT);
    return this.place.handleAt(`${this.path}/${spec.id}`) ?? started;
  }

  async terminateChild(id: string): Promise<void> {
    await this.place.call(
      { type: 'terminate_child', id: check(`terminateChild of ${this.path}`, 'id', text, id) },
      NO_LIMIT,
    );
  }

  child(id: string): unknown {
    return this.place.handleAt(`${this.path}/${id}`);
  }

  whichChildren(): Promise<readonly ChildListing[]> {
    return this.place.call({ type: 'which_children' }, NO_LIMIT) as Promise<readonly ChildListing[]>;
  }

  whichChild(id: string): Promise<ChildListing> {
    const asked = { type: 'which_child', id: check(`whichChild of ${this.path}`, 'id', text, id) };
    return this.place.call(asked, NO_LIMIT) as Promise<ChildListing>;
  }

  childSpec(id: string): Promise<Spec<unknown>> {
    const asked = { type: 'get_child_spec', id: check(`childSpec of ${this.path}`, 'id', text, id) };
    return this.place.call(asked, NO_LIMIT) as Promise<Spec<unknown>>;
  }

  countChildren(): Promise<ChildCounts> {
    return this.place.call({ type: 'count_children' }, NO_LIMIT) as Promise<ChildCounts>;
  }
}
