/** The part that handles share: they address a place, and so follow restarts. Each kind of logic adds its own verbs. */
import type { Handle, Place } from './logic.ts';
import type { Ref } from './ref.ts';

export class PlaceHandle implements Handle {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  protected get place(): Place {
    return this.#place;
  }

  get path(): string {
    return this.#place.path;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }
}
