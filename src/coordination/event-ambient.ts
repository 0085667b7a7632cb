/** In which context an event was published: its handlers run in that one, not in that of whoever has the turn. */
import { ambient, ambientIsUsed, inAmbient } from '../base/ambient.ts';

const published = new WeakMap<object, unknown>();

/** Notes where this event is published. */
export const noteAmbient = (event: object): void => {
  if (!ambientIsUsed()) return;
  const value = ambient();
  if (value !== undefined) published.set(event, value);
};

/** Runs a handler where its event was published. */
export const inAmbientOf = <T>(event: object, run: () => T): T => inAmbient(published.get(event), run);
