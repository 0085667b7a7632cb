/**
 * Carries out a schedule of faults. It strikes at the times the schedule says, except that a fault waits for those it
 * would blur: so a slow machine delays strikes, or leaves out their repetitions, and never mixes up their evidence.
 *
 * Invariant: nothing strikes once the calm has begun, and every strike ends as recovered or as unrecovered, with why.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { roomMs, UPSTREAM_KINDS, WORKER_KINDS } from './schedule.mjs';
import { SERVICE_FAULTS } from './service-faults.mjs';
import { WORKER_FAULTS } from './worker-faults.mjs';

const FAULTS = { ...WORKER_FAULTS, ...SERVICE_FAULTS };
const WAIT_STEP_MS = 20;
/** A fault that has struck before is left out when it would strike with less than this share of its room. */
const LEAST_ROOM = 0.75;

/** Kinds that may not be under way when `kind` strikes. */
const apartFrom = (kind) => {
  if (kind === 'loop_blocked') return Object.keys(FAULTS);
  if (kind === 'burst') return [...WORKER_KINDS, 'burst', 'loop_blocked'];
  if (UPSTREAM_KINDS.includes(kind)) return [...UPSTREAM_KINDS, 'loop_blocked'];
  return ['burst', 'loop_blocked'];
};

/**
 * @typedef {object} Strike
 * @property {string} kind
 * @property {number} atMs when the schedule has it
 * @property {'due' | 'striking' | 'struck' | 'recovered' | 'unrecovered' | 'dropped'} state
 * @property {number | undefined} struckMs when it was seen to have struck, from the start of the run
 * @property {number | undefined} recoveryMs from struck to recovered
 * @property {string} detail
 */

/**
 * @param {{ schedule: { atMs: number, kind: string }[], scene: any, startedAt: number, calmAt: number }} plan
 */
export const startAttack = ({ schedule, scene, startedAt, calmAt }) => {
  /** @type {Strike[]} */
  const strikes = schedule.map(({ kind, atMs }) => ({
    kind,
    atMs,
    state: 'due',
    struckMs: undefined,
    recoveryMs: undefined,
    detail: '',
  }));
  const called = new AbortController();
  // Every strike that is due waits on it.
  setMaxListeners(0, called.signal);

  const carryOut = async (strike) => {
    strike.state = 'striking';
    let struckAt;
    const struck = (detail) => {
      struckAt = performance.now();
      strike.struckMs = struckAt - startedAt;
      strike.state = 'struck';
      strike.detail = detail;
    };
    try {
      await FAULTS[strike.kind](scene, struck);
      strike.recoveryMs = performance.now() - struckAt;
      strike.state = 'recovered';
    } catch (error) {
      strike.state = 'unrecovered';
      strike.detail = error.message;
    }
  };

  /** In the order of the schedule: one that has to wait holds up only those which it would blur. */
  const follow = async (strike, earlier) => {
    const dueInMs = Math.max(0, startedAt + strike.atMs - performance.now());
    await delay(dueInMs, undefined, { signal: called.signal }).catch(() => {});
    const apart = new Set([...apartFrom(strike.kind), strike.kind]);
    const blurs = (other) => apart.has(other.kind) || apartFrom(other.kind).includes(strike.kind);
    const waitsFor = earlier.filter(blurs);
    const ended = ({ state }) => state !== 'due' && state !== 'striking' && state !== 'struck';
    while (!waitsFor.every(ended) && !called.signal.aborted && performance.now() < calmAt)
      await delay(WAIT_STEP_MS);
    const hasStruck = earlier.some(({ kind, struckMs }) => kind === strike.kind && struckMs !== undefined);
    const latest = hasStruck ? calmAt - LEAST_ROOM * roomMs(strike.kind) : calmAt;
    if (called.signal.aborted || performance.now() >= latest) {
      strike.state = 'dropped';
      strike.detail = 'its time was over';
      return;
    }
    await carryOut(strike);
  };

  const finished = Promise.all(strikes.map((strike, index) => follow(strike, strikes.slice(0, index))));
  return {
    strikes,
    /** Resolves when every strike has ended. */
    finished,
    /** No more strikes: the run is being broken off. */
    callOff: () => {
      called.abort();
      scene.callOff();
    },
  };
};
