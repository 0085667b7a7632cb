/** The row of the tree that one is on, and what choosing a row does. */
import { signal } from '@preact/signals';
import type { TreeRow } from '../protocol.ts';
import { go, toActor } from './address.ts';
import { toggleRow } from './watching.ts';

/** The key of the row that the keyboard is on. */
export const cursor = signal<string | undefined>(undefined);

/** What a click or a key does to a row. */
export const choose = (row: TreeRow): void => {
  cursor.value = row.key;
  if (row.type === 'group') toggleRow(row.key, true);
  else go(toActor(row.path));
};
