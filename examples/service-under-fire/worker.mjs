/** A worker in Node: counts what is in a document. */
import { serveWorker } from 'troupe/worker';
import { actOnMark } from './act-on-mark.mjs';
import { countText } from './count-text.mjs';

const folder = process.env.TROUPE_DEMO_FOLDER;

serveWorker({
  async count({ text }, job) {
    await actOnMark(text, job, folder);
    return { ...countText(text), worker: { pid: process.pid, language: 'node' } };
  },
});
