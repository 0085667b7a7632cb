/**
 * A place as one incarnation sees it: what the handles of `ctx.get` and `ctx.spawn` stand on.
 *
 * Invariant: what is done through it is done by that incarnation: within its deadline, in its chain of calls, and not after
 * its end. It owns nothing; the place is the same for everyone.
 */
import type { CallOptions, Inspection, Place, PlaceHolder, TellOptions, Told } from './logic.ts';
import type { PlaceOfActor } from './place.ts';
import type { Ref } from './ref.ts';
import type { Spec } from './spec.ts';
import type { SystemOfActors } from './system.ts';

/** What an incarnation does to a place. */
export interface Actions extends PlaceHolder {
  tellPlace(place: PlaceOfActor, message: unknown, options: TellOptions | undefined): Told;
  callPlace(place: PlaceOfActor, message: unknown, options: CallOptions | undefined): Promise<unknown>;
  handleOf(place: PlaceOfActor): unknown;
}

export class BoundPlace implements Place {
  readonly #place: PlaceOfActor;
  readonly #actions: Actions;

  constructor(place: PlaceOfActor, actions: Actions) {
    this.#place = place;
    this.#actions = actions;
  }

  get path(): string {
    return this.#place.path;
  }

  get system(): SystemOfActors {
    return this.#place.system;
  }

  get spec(): Spec<unknown> {
    return this.#place.spec;
  }

  get shared(): unknown {
    return this.#place.shared;
  }

  get holder(): PlaceHolder {
    return this.#actions;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  onGone(gone: () => void): () => void {
    return this.#place.onGone(gone);
  }

  tell(message: unknown, options?: TellOptions): Told {
    return this.#actions.tellPlace(this.#place, message, options);
  }

  call(message: unknown, options?: CallOptions): Promise<unknown> {
    return this.#actions.callPlace(this.#place, message, options);
  }

  inspect(): Inspection {
    return this.#place.inspect();
  }

  handleAt(path: string): unknown {
    const place = this.system.placeAt(path);
    return place === undefined ? undefined : this.#actions.handleOf(place);
  }
}
