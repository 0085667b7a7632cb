/** Names of the living: unique, released in the very turn in which their holder ends. */
import { createError } from '../base/errors.ts';
import { check, text } from '../base/options.ts';
import type { Cell } from './cell.ts';

export class Registry {
  readonly #names = new Map<string, Cell>();

  /** @throws ERR_NAME_TAKEN */
  register(name: string, cell: Cell): void {
    check('register', 'name', text, name);
    const holder = this.#names.get(name);
    if (holder === cell) return;
    if (holder !== undefined) throw createError('ERR_NAME_TAKEN', { name, target: holder.place.path });
    this.#names.set(name, cell);
    cell.names ??= new Set();
    cell.names.add(name);
  }

  unregister(name: string, cell: Cell): void {
    if (this.#names.get(name) !== cell) return;
    this.#names.delete(name);
    cell.names?.delete(name);
  }

  find(name: string): Cell | undefined {
    return this.#names.get(name);
  }

  forget(cell: Cell): void {
    if (cell.names === undefined) return;
    for (const name of cell.names) this.#names.delete(name);
    cell.names = undefined;
  }
}
