/**
 * The launcher's own book of documents, kept from HTTP answers alone: what the service took on, and how it ended.
 *
 * A document is **accepted** when the service said so, by status 102 while it works or by a final answer other than
 * 503; a 503 or a connection that was refused or reset before either is a **refusal**, and leaves the book. What was
 * accepted must be **settled** exactly once: succeeded (200), failed (another answer) or cancelled (its client left
 * on purpose). An accepted document whose connection broke, or that nobody answered, stays open: it was lost.
 */

/** Why a document was sent; only some purposes excuse a failure or a cancellation. */
export const PURPOSES = Object.freeze({
  work: { mayFail: false, mayBeCancelled: false },
  burst: { mayFail: false, mayBeCancelled: false },
  witness: { mayFail: false, mayBeCancelled: false },
  poison: { mayFail: true, mayBeCancelled: false },
  late: { mayFail: true, mayBeCancelled: false },
  leaving: { mayFail: false, mayBeCancelled: true },
  farewell: { mayFail: false, mayBeCancelled: false },
});

export const createLedger = () => {
  const open = new Map();
  const counts = { accepted: 0, settled: 0, succeeded: 0, failed: 0, cancelled: 0 };
  /** Sums over succeeded documents. */
  const words = { byWorkers: 0, byDirectCount: 0 };
  /** What must not have happened, in words. */
  const violations = [];
  /** Of ordinary documents: the others are slow on purpose. */
  const latenciesMs = [];
  let lastId = 0;
  let acceptedInARow = 0;

  const accept = (entry) => {
    if (entry.accepted) return;
    entry.accepted = true;
    counts.accepted += 1;
  };

  const settle = (entry, outcome) => {
    if (!open.delete(entry.id)) {
      violations.push(`document ${entry.id} (${entry.purpose}) was settled twice, at last as ${outcome}`);
      return;
    }
    accept(entry);
    counts.settled += 1;
    counts[outcome] += 1;
  };

  return {
    counts,
    words,
    violations,
    latenciesMs,
    /** Documents accepted since the last refusal, by the order of answers. */
    acceptedInARow: () => acceptedInARow,
    /** Documents that were accepted and never settled. */
    lost: () => [...open.values()].filter((entry) => entry.accepted),

    /** A document is about to be sent. */
    open: (purpose) => {
      lastId += 1;
      const entry = { id: lastId, purpose, accepted: false };
      open.set(entry.id, entry);
      return entry;
    },
    /** Status 102: the service took it and works on it. */
    accepted: accept,
    /** Status 503, or no connection: the service did not take it. */
    refused: (entry) => {
      acceptedInARow = 0;
      if (!open.delete(entry.id)) violations.push(`document ${entry.id} was refused after it was settled`);
      else if (entry.accepted) counts.accepted -= 1;
    },
    /** Status 200; `counted` by a worker, `reference` by the checker. */
    succeeded: (entry, { counted, reference, latencyMs }) => {
      acceptedInARow += 1;
      settle(entry, 'succeeded');
      if (entry.purpose === 'work') latenciesMs.push(latencyMs);
      words.byWorkers += counted.words;
      words.byDirectCount += reference.words;
      const difference = differenceOf(counted, reference);
      if (difference !== undefined) violations.push(`document ${entry.id} was miscounted: ${difference}`);
    },
    /** Any other final answer. */
    failed: (entry, why) => {
      acceptedInARow += 1;
      settle(entry, 'failed');
      if (!PURPOSES[entry.purpose].mayFail) {
        violations.push(`document ${entry.id} (${entry.purpose}) failed: ${why}`);
      }
    },
    /** Its client left before the answer. */
    cancelled: (entry) => {
      settle(entry, 'cancelled');
      if (!PURPOSES[entry.purpose].mayBeCancelled) {
        violations.push(`document ${entry.id} (${entry.purpose}) was cancelled`);
      }
    },
    /** An accepted document's connection broke, or nobody answered in time: it stays open, and is thereby lost. */
    lostSightOf: (entry, why) => {
      acceptedInARow = 0;
      accept(entry);
      violations.push(`document ${entry.id} (${entry.purpose}) was accepted and never answered: ${why}`);
    },
  };
};

const differenceOf = (counted, reference) => {
  for (const field of ['words', 'sentences', 'terms']) {
    const [ours, theirs] = [JSON.stringify(reference[field]), JSON.stringify(counted[field])];
    if (ours !== theirs) return `${field} are ${ours}, the worker says ${theirs}`;
  }
  return undefined;
};
