/**
 * What every fault needs: sending a marked document, telling which process has it, and seeing from outside that the
 * pool is itself again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DEADLINE_MS } from './load.mjs';
import { firstTryOf, marked, triesOf } from './markers.mjs';
import { until } from './observer.mjs';
import { isThere, readProcess, ticksNow } from './processes.mjs';

/** A fault that has not been recovered from by then counts as never. */
export const RECOVERY_LIMIT_MS = 8_000;
/** A marked document reaches a worker by then, or something is wrong. */
const STRIKE_LIMIT_MS = 3_000;
const REFUSED_PAUSE_MS = 100;
/** Documents that keep workers busy together, so that also the one chosen last gets one. */
const NUDGE_AFTER_MS = 150;
const NUDGE_LINGER_MS = 25;

/** What went otherwise than it must, told by a fault. */
export class Unrecovered extends Error {}

export const createScene = ({ client, corpus, observer, upstream, service, folder, random }) => {
  let tokens = 0;
  let calledOff = false;
  /** `until`, unless the run is broken off. */
  const untilOrOff = async (condition, limitMs) => {
    const value = await until(() => calledOff || condition(), limitMs);
    if (calledOff) throw new Unrecovered('the run was broken off');
    return value;
  };

  /** Sends one marked document, without waiting for its answer. */
  const send = (mark, { purpose, lingerMs, deadlineMs = DEADLINE_MS, signal }) => {
    tokens += 1;
    const token = `${mark}-${tokens}`;
    const bytes = marked(mark, token, lingerMs, random.pick(corpus.documents).bytes);
    return { token, answer: client.sendDocument({ bytes, deadlineMs, purpose, signal }) };
  };

  /**
   * Sends a marked document until a worker has it, which takes more than once while the service refuses.
   *
   * @returns {Promise<{ token: string, pid: number, answer: Promise<import('./client.mjs').Answer> }>}
   */
  const place = async (mark, options) => {
    const latest = performance.now() + STRIKE_LIMIT_MS;
    for (;;) {
      const { token, answer } = send(mark, options);
      let answered = false;
      answer.then(() => {
        answered = true;
      });
      const limitMs = latest - performance.now();
      const pid = await firstTryOf({ folder: folder.path, token, limitMs, over: () => answered });
      if (pid !== undefined) return { token, pid, answer };
      if (!answered) throw new Unrecovered(`no worker took a document within ${STRIKE_LIMIT_MS} ms`);
      const { outcome, retryAfterMs, why } = await answer;
      if (outcome !== 'refused' || performance.now() > latest)
        throw new Unrecovered(`its document ended ${why}`);
      await delay(retryAfterMs ?? REFUSED_PAUSE_MS);
    }
  };

  const tries = (token) => triesOf(folder.path, token);
  const identify = (pid) => {
    const facts = readProcess(pid);
    return { pid, startTicks: facts?.parent === service.pid ? facts.startTicks : 'gone' };
  };

  /** Fails unless `condition` comes true in time. */
  const require = async (condition, what, limitMs = RECOVERY_LIMIT_MS) => {
    const value = await untilOrOff(condition, limitMs);
    if (value === undefined) throw new Unrecovered(what);
    return value;
  };

  /** Like {@link require}, while documents that linger make sure that every worker gets one. */
  const requireWithWork = async (condition, what) => {
    const latest = performance.now() + RECOVERY_LIMIT_MS;
    let value = await untilOrOff(condition, NUDGE_AFTER_MS);
    while (value === undefined) {
      if (performance.now() > latest) throw new Unrecovered(what);
      const size = observer.status()?.size ?? 1;
      const options = { purpose: 'witness', lingerMs: NUDGE_LINGER_MS };
      const nudges = Array.from({ length: size }, () => send('linger', options).answer);
      value = await untilOrOff(condition, NUDGE_AFTER_MS);
      await Promise.all(nudges);
    }
    return value;
  };

  const requireGone = (victims) =>
    require(() => victims.every((victim) => !isThere(victim)), `pid ${victims[0]?.pid} is still there`);

  /** A worker that was started after that instant has answered for a document. */
  const requireSuccessor = (sinceTicks) =>
    requireWithWork(() => {
      for (const pid of client.lastAnswerAt.keys()) {
        const facts = readProcess(pid);
        if (facts?.parent === service.pid && Number(facts.startTicks) >= sinceTicks) return true;
      }
      return false;
    }, 'no new worker completed a document');

  const requireWhole = (sinceMs) =>
    require(() => observer.wholeSince(sinceMs), 'the pool did not get back to its full size');

  return {
    client,
    observer,
    upstream,
    service,
    random,
    send,
    place,
    tries,
    identify,
    require,
    requireWithWork,
    requireGone,
    requireWhole,
    /** The whole recovery from a worker's end: the old ones gone, a new one at work, the pool at full size. */
    requireReplaced: async (victims, sinceTicks) => {
      await requireGone(victims);
      const goneAt = performance.now();
      await requireSuccessor(sinceTicks);
      await requireWhole(goneAt);
    },
    ticksNow,
    /** Whatever waits for a recovery stops waiting. */
    callOff: () => {
      calledOff = true;
    },
  };
};
