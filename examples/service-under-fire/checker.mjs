/**
 * The verdict: a pure function of what the launcher saw. It names each condition that does not hold, in words.
 */
import { KINDS } from './schedule.mjs';

/** Of what was accepted. */
const SUCCEEDED_SHARE_MIN = 0.9;
/** Below this the service was not under load. */
const ACCEPTED_PER_SECOND_MIN = 10;
/** From SIGTERM to the end of the service. */
export const SHUTDOWN_LIMIT_MS = 10_000;

/**
 * @typedef {object} Facts
 * @property {number} seconds
 * @property {import('./attacker.mjs').Strike[]} strikes
 * @property {{ accepted: number, settled: number, succeeded: number, failed: number, cancelled: number }} documents
 * @property {{ byWorkers: number, byDirectCount: number }} words
 * @property {readonly string[]} violations of the ledger
 * @property {number} lost accepted and never settled
 * @property {{ documents: number, missed: number, connections: number }} [events] that a listener heard
 * @property {readonly string[]} calm what was not all right in the last seconds
 * @property {number} gaveUp recoveries and supervisors that gave up
 * @property {{ code: number | null, signal: string | null, ms: number, refused: number, inFlight: number,
 *   inFlightSucceeded: number, survivors: readonly string[] } | undefined} shutdown
 * @property {number} orphans
 */

const share = (part, whole) => `${part} of ${whole}`;

const ofDocuments = ({ documents, words, violations, lost, seconds }) => {
  const { accepted, settled, succeeded, failed, cancelled } = documents;
  const failures = [...violations];
  if (settled !== accepted || settled !== succeeded + failed + cancelled) {
    failures.push(
      `${accepted} documents were accepted and ${settled} settled: ${succeeded} succeeded, ${failed} failed, ${cancelled} were cancelled, ${lost} were lost`,
    );
  }
  if (succeeded < SUCCEEDED_SHARE_MIN * accepted) {
    failures.push(`only ${share(succeeded, accepted)} accepted documents succeeded`);
  }
  if (accepted < ACCEPTED_PER_SECOND_MIN * seconds) {
    failures.push(`only ${accepted} documents were accepted in ${seconds} s`);
  }
  if (words.byWorkers !== words.byDirectCount) {
    failures.push(`the workers counted ${words.byWorkers} words, the checker ${words.byDirectCount}`);
  }
  return failures;
};

/** Who listened heard of every document, but for those of the shutdown, before which streams end. */
const ofEvents = ({ events, documents, shutdown }) => {
  if (events === undefined) return [];
  const { documents: heard, missed } = events;
  const due = documents.succeeded - (shutdown?.succeededAfter ?? 0);
  return heard + missed >= due
    ? []
    : [`a listener heard of ${heard} documents, and of ${due} there was to hear`];
};

const ofFaults = ({ strikes }) => {
  const missing = KINDS.filter(
    (kind) => !strikes.some((strike) => strike.kind === kind && strike.struckMs !== undefined),
  );
  const open = strikes.filter(({ state }) => state !== 'recovered' && state !== 'dropped');
  return [
    ...missing.map((kind) => `${kind} never struck`),
    ...open.map(({ kind, atMs, detail }) => `${kind} at ${(atMs / 1_000).toFixed(2)} s: ${detail}`),
  ];
};

const ofShutdown = ({ shutdown, orphans }) => {
  const failures = orphans === 0 ? [] : [`${orphans} OS processes were left behind`];
  if (shutdown === undefined) return [...failures, 'the service was never shut down'];
  const { code, signal, ms, refused, inFlight, inFlightSucceeded, survivors } = shutdown;
  if (code !== 0) failures.push(`the service ended with ${signal ?? `exit code ${code}`} instead of 0`);
  if (ms > SHUTDOWN_LIMIT_MS) failures.push(`the shutdown took ${Math.round(ms)} ms`);
  if (refused === 0) failures.push('nothing new was refused during the shutdown');
  if (inFlightSucceeded < inFlight) {
    failures.push(
      `only ${share(inFlightSucceeded, inFlight)} documents in flight at the shutdown were completed`,
    );
  }
  if (survivors.length > 0) failures.push(`the shutdown left survivors: ${survivors.join(', ')}`);
  return failures;
};

/**
 * What does not hold; empty: nothing was lost.
 *
 * @param {Facts} facts
 * @returns {string[]}
 */
export const judge = (facts) => [
  ...ofDocuments(facts),
  ...ofEvents(facts),
  ...ofFaults(facts),
  ...facts.calm.map((what) => `in the calm at the end: ${what}`),
  ...(facts.gaveUp === 0 ? [] : [`${facts.gaveUp} recoveries or supervisors gave up`]),
  ...ofShutdown(facts),
];
