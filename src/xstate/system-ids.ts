/**
 * The `systemId`s of one logic: names by which its actors find each other. Each incarnation has its own, so that a restart
 * never meets a name that is taken.
 */
import { createError } from '../base/errors.ts';
import { type InnerActor, residentOf } from './inner-actor.ts';

export class SystemIds {
  readonly #path: string;
  readonly #actors = new Map<string, InnerActor>();

  /** `path` is the actor's whose logic it is, for errors. */
  constructor(path: string) {
    this.#path = path;
  }

  /** @throws ERR_NAME_TAKEN */
  give(name: string, actor: InnerActor): void {
    const holder = this.#actors.get(name);
    if (holder !== undefined && holder !== actor)
      throw createError('ERR_NAME_TAKEN', { name, target: `${this.#path}#${holder.id}` });
    this.#actors.set(name, actor);
    residentOf(actor).systemId = name;
  }

  free(actor: InnerActor): void {
    const resident = residentOf(actor);
    if (resident.systemId !== undefined) this.#actors.delete(resident.systemId);
    resident.systemId = undefined;
  }

  find(name: string): InnerActor | undefined {
    return this.#actors.get(name);
  }

  all(): Readonly<Record<string, InnerActor>> {
    return Object.fromEntries(this.#actors);
  }
}
