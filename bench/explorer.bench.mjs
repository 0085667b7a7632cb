/**
 * What the explorer costs a system, beside the same system without one: while nobody looks, and while a viewer in another process
 * looks at all there is.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { explorer } from '../dist/explorer.js';
import { actor, createSystem, server, supervisor } from '../dist/index.js';

/** Half a mailbox: none of the tells is refused. */
const BATCH = 5_000;
const ADD = { type: 'add' };
const GET = { type: 'get' };
const VIEWER = fileURLToPath(new URL('./workers/viewer.mjs', import.meta.url));

const counting = () =>
  actor(
    'counter',
    server({
      init: () => ({ n: 0 }),
      call: { get: (state) => state.n },
      cast: {
        add: (state) => {
          state.n += 1;
        },
      },
    }),
  );

const started = async (...others) => {
  const system = createSystem();
  const counter = counting();
  await system.start(supervisor('root', { children: [...others, counter] }));
  return { system, handle: system.get(counter) };
};

const telling = (handle) => async (count) => {
  for (let left = count; left > 0; left -= BATCH) {
    for (let i = Math.min(left, BATCH); i > 0; i--) handle.tell(ADD);
    await handle.call(GET);
  }
};

const calling = (handle) => async (count) => {
  for (let i = 0; i < count; i++) await handle.call(GET);
};

/** A viewer of everything, in a process of its own: what it reads is not to be paid here. */
const lookedAt = async (url) => {
  const viewer = spawn(process.execPath, [VIEWER, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(viewer.stdout, 'data');
  return viewer;
};

const beside =
  (work, { watched }) =>
  async () => {
    const view = explorer();
    const [ours, plain] = [await started(view), await started()];
    const viewer = watched ? await lookedAt(ours.system.get(view).url) : undefined;
    return {
      contestants: { troupe: work(ours.handle), without: work(plain.handle) },
      close: async () => {
        viewer?.kill('SIGKILL');
        await Promise.all([ours.system.shutdown(), plain.system.shutdown()]);
      },
    };
  };

const UNWATCHED = { watched: false };
const WATCHED = { watched: true };

export const suite = [
  { case: 'tell unwatched', open: beside(telling, UNWATCHED), aims: { without: 1.02 } },
  { case: 'call unwatched', open: beside(calling, UNWATCHED) },
  { case: 'tell watched', open: beside(telling, WATCHED) },
  { case: 'call watched', open: beside(calling, WATCHED) },
];
