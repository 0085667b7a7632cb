/**
 * The faults of workers and of the documents on them. Each strikes for real, tells when it has struck, and returns
 * once the recovery was seen from outside; what it throws says what was not.
 */
import { isStopped, ticksNow } from './processes.mjs';
import { Unrecovered } from './scene.mjs';

/** Longer than it takes to strike the worker that has the document; its second worker does not linger. */
const HELD_MS = 1_000;
const SLOW_DEADLINE_MS = 700;
const SLOW_MS = 30_000;
/** Timers, a turn of the loop and a connection lie between a deadline and the answer that a client sees. */
const DEADLINE_SLACK_MS = 1_000;

/** A document that was in flight on a struck worker is done by the second one it was given to. */
const requireOneRetry = async (scene, { token, answer }) => {
  const { outcome, why } = await answer;
  if (outcome !== 'succeeded') throw new Unrecovered(`the document in flight ended ${outcome}: ${why}`);
  const tries = scene.tries(token).length;
  if (tries !== 2) throw new Unrecovered(`the document in flight was tried ${tries} times`);
};

/** A worker with a document in flight, and what strikes it. */
const strikeBusyWorker = async (scene, struck, strike) => {
  const witness = await scene.place('linger', { purpose: 'witness', lingerMs: HELD_MS });
  const victim = scene.identify(witness.pid);
  const sinceTicks = ticksNow();
  await strike(victim.pid);
  struck(`pid ${victim.pid}`);
  await scene.requireReplaced([victim], sinceTicks);
  await requireOneRetry(scene, witness);
};

const workerKilled = (scene, struck) =>
  strikeBusyWorker(scene, struck, (pid) => process.kill(pid, 'SIGKILL'));

const workerStopped = (scene, struck) =>
  strikeBusyWorker(scene, struck, async (pid) => {
    process.kill(pid, 'SIGSTOP');
    await scene.require(() => isStopped(pid), `pid ${pid} did not stop`);
  });

const workerGarbage = async (scene, struck) => {
  const sinceTicks = ticksNow();
  const garbled = await scene.place('garbage', { purpose: 'witness', lingerMs: HELD_MS });
  struck(`pid ${garbled.pid}`);
  await scene.requireReplaced([scene.identify(garbled.pid)], sinceTicks);
  await requireOneRetry(scene, garbled);
};

const poisonDocument = async (scene, struck) => {
  const sinceTicks = ticksNow();
  const poison = await scene.place('poison', { purpose: 'poison', lingerMs: 0 });
  struck(`pid ${poison.pid}`);
  const { outcome, why } = await poison.answer;
  if (outcome !== 'failed') throw new Unrecovered(`the poison document ended ${outcome}: ${why}`);
  const crashed = scene.tries(poison.token);
  if (crashed.length > 2) throw new Unrecovered(`the poison document crashed ${crashed.length} workers`);
  await scene.requireReplaced(
    crashed.map((pid) => scene.identify(pid)),
    sinceTicks,
  );
};

const slowDocument = async (scene, struck) => {
  const options = { purpose: 'late', lingerMs: SLOW_MS, deadlineMs: SLOW_DEADLINE_MS };
  const slow = await scene.place(scene.random.pick(['slow', 'deaf']), options);
  struck(`pid ${slow.pid} has it, ${SLOW_DEADLINE_MS} ms allowed`);
  const { outcome, latencyMs, why } = await slow.answer;
  if (outcome !== 'failed') throw new Unrecovered(`the slow document ended ${outcome}: ${why}`);
  if (latencyMs > SLOW_DEADLINE_MS + DEADLINE_SLACK_MS) {
    throw new Unrecovered(`the slow document was settled after ${Math.round(latencyMs)} ms`);
  }
  await scene.requireWhole(performance.now());
};

const clientDisconnect = async (scene, struck) => {
  const leaving = new AbortController();
  const options = { purpose: 'leaving', lingerMs: HELD_MS, signal: leaving.signal };
  const abandoned = await scene.place('linger', options);
  const holder = scene.identify(abandoned.pid);
  leaving.abort();
  const leftAt = performance.now();
  struck(`pid ${holder.pid} held its lease`);
  await abandoned.answer;
  // Its worker has work again, or was given up for a successor: either way nothing is leased to nobody.
  await scene.requireWithWork(
    () =>
      (scene.client.lastAnswerAt.get(holder.pid) ?? 0) > leftAt ||
      scene.identify(holder.pid).startTicks === 'gone',
    `pid ${holder.pid} never came back from the lease`,
  );
  await scene.requireWhole(leftAt);
};

export const WORKER_FAULTS = Object.freeze({
  worker_killed: workerKilled,
  worker_stopped: workerStopped,
  worker_garbage: workerGarbage,
  poison_document: poisonDocument,
  slow_document: slowDocument,
  client_disconnect: clientDisconnect,
});
