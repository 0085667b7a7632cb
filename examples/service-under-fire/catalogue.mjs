/**
 * The catalogue: one entry a document, with its version, which rises by one each time it is counted. It stands for a store that is
 * read, then written, with time passing in between; so two who write one document at once would lose one of the two.
 *
 * Invariant: one writer a document. Each write is published, in the order of the versions.
 */
import { createHash } from 'node:crypto';
import { setImmediate as storeAnswers } from 'node:timers/promises';

const idOf = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** @param {{ locks: import('troupe').LocksHandle, bus: import('troupe').BusHandle }} parts */
export const createCatalogue = ({ locks, bus }) => {
  const entries = new Map();
  const read = async (id) => {
    await storeAnswers();
    return entries.get(id);
  };
  const write = async (entry) => {
    await storeAnswers();
    entries.set(entry.id, entry);
  };
  return {
    /** Notes what came of a count. Resolves to the document's entry. */
    note: (text, { words }, { signal }) => {
      const id = idOf(text);
      const writeOne = async () => {
        const version = ((await read(id))?.version ?? 0) + 1;
        const entry = { id, version, words };
        await write(entry);
        bus.publish('document.counted', entry);
        return entry;
      };
      return locks.use(id, writeOne, { signal });
    },
  };
};
