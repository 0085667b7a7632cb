/**
 * What every fault needs: sending a marked document, telling which process has it, and seeing from outside that the
 * pool is itself again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DEADLINE_MS } from './load.mjs';
import { firstTryOf, marked, triesOf } from './markers.mjs';
import { until } from './observer.mjs';
import { isThere, readProcess } from './processes.mjs';

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

export class Scene {
  client;
  observer;
  upstream;
  service;
  random;
  #corpus;
  #folder;
  #tokens = 0;
  #calledOff = false;

  constructor({ client, corpus, observer, upstream, service, folder, random }) {
    Object.assign(this, { client, observer, upstream, service, random });
    this.#corpus = corpus;
    this.#folder = folder.path;
  }

  /** Whatever waits for a recovery stops waiting: the run is being broken off. */
  callOff() {
    this.#calledOff = true;
  }

  /** Sends one marked document, without waiting for its answer. */
  send(mark, { purpose, lingerMs, deadlineMs = DEADLINE_MS, signal }) {
    this.#tokens += 1;
    const token = `${mark}-${this.#tokens}`;
    const bytes = marked(mark, token, lingerMs, this.random.pick(this.#corpus.documents).bytes);
    return { token, answer: this.client.sendDocument({ bytes, deadlineMs, purpose, signal }) };
  }

  /**
   * Sends a marked document until a worker has it, which takes more than once while the service refuses.
   *
   * @returns {Promise<{ token: string, pid: number, answer: Promise<import('./client.mjs').Answer> }>}
   */
  async place(mark, options) {
    const latest = performance.now() + STRIKE_LIMIT_MS;
    for (;;) {
      const { token, answer } = this.send(mark, options);
      let answered = false;
      answer.then(() => {
        answered = true;
      });
      const limitMs = latest - performance.now();
      const pid = await firstTryOf({ folder: this.#folder, token, limitMs, over: () => answered });
      if (pid !== undefined) return { token, pid, answer };
      if (!answered) throw new Unrecovered(`no worker took a document within ${STRIKE_LIMIT_MS} ms`);
      const { outcome, retryAfterMs, why } = await answer;
      if (outcome !== 'refused' || performance.now() > latest)
        throw new Unrecovered(`its document ended ${why}`);
      await delay(retryAfterMs ?? REFUSED_PAUSE_MS);
    }
  }

  /** The workers that a marked document was given to, in order. */
  tries(token) {
    return triesOf(this.#folder, token);
  }

  /** A process of the service by pid and start time; of one that is not there any more, something that never was. */
  identify(pid) {
    const facts = readProcess(pid);
    return { pid, startTicks: facts?.parent === this.service.pid ? facts.startTicks : 'gone' };
  }

  /** Fails with `what` unless `condition` comes true in time. */
  async require(condition, what) {
    const value = await this.#until(condition, RECOVERY_LIMIT_MS);
    if (value === undefined) throw new Unrecovered(what);
    return value;
  }

  /** Like {@link require}, while documents that linger make sure that every worker gets one. */
  async requireWithWork(condition, what) {
    const latest = performance.now() + RECOVERY_LIMIT_MS;
    let value = await this.#until(condition, NUDGE_AFTER_MS);
    while (value === undefined) {
      if (performance.now() > latest) throw new Unrecovered(what);
      const size = this.observer.status()?.size ?? 1;
      const options = { purpose: 'witness', lingerMs: NUDGE_LINGER_MS };
      const nudges = Array.from({ length: size }, () => this.send('linger', options).answer);
      value = await this.#until(condition, NUDGE_AFTER_MS);
      await Promise.all(nudges);
    }
    return value;
  }

  requireWhole(sinceMs) {
    return this.require(
      () => this.observer.wholeSince(sinceMs),
      'the pool did not get back to its full size',
    );
  }

  /** The whole recovery from a worker's end: the old ones gone, a new one at work, the pool at full size. */
  async requireReplaced(victims, sinceTicks) {
    const gone = () => victims.every((victim) => !isThere(victim));
    await this.require(gone, `pid ${victims[0]?.pid} is still there`);
    const goneAt = performance.now();
    const successor = () =>
      [...this.client.lastAnswerAt.keys()].some((pid) => this.#startedSince(pid, sinceTicks));
    await this.requireWithWork(successor, 'no new worker completed a document');
    await this.requireWhole(goneAt);
  }

  #startedSince(pid, sinceTicks) {
    const facts = readProcess(pid);
    return facts?.parent === this.service.pid && Number(facts.startTicks) >= sinceTicks;
  }

  /** `until`, unless the run is broken off. */
  async #until(condition, limitMs) {
    const value = await until(() => this.#calledOff || condition(), limitMs);
    if (this.#calledOff) throw new Unrecovered('the run was broken off');
    return value;
  }
}
