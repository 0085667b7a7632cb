/**
 * Documents, counted on the pool. Counting twice does no harm, so a document whose worker died is given to another by
 * the pool itself; one whose worker does not answer in its share of the time is tried once more here. What crashed
 * every worker that had it is reported to recovery, which makes sure that the pool still counts.
 */
import { createRetry, isTroupeError } from 'troupe';

/** What one try may take: far more than a document needs, and little enough that a second one fits in its deadline. */
const ATTEMPT_MS = 1_200;
const PROOF_MS = 2_000;

const hasCrashed = (error) =>
  isTroupeError(error, 'ERR_WORKER_EXITED') || isTroupeError(error, 'ERR_WORKER_PROTOCOL');

/**
 * @param {{ pool: import('troupe').PoolHandle, recovery: import('troupe').RecoveryHandle }} parts
 * @returns {(text: string, bounds: { timeoutMs: number, signal: AbortSignal }) => Promise<any>}
 */
export const createDocuments = ({ pool, recovery }) => {
  const attempts = createRetry({
    name: 'documents',
    maxAttempts: 2,
    idempotent: true,
    backoff: { baseMs: 0 },
    shouldRetry: (error) => isTroupeError(error, 'ERR_JOB_TIMEOUT'),
  });
  const stillCounts = ({ signal }) =>
    pool.run(
      'count',
      { text: 'Does it still count? It does.' },
      { signal, timeoutMs: PROOF_MS, priority: 'high' },
    );

  return async (text, bounds) => {
    try {
      return await attempts.execute(
        ({ deadline, signal }) => pool.run('count', { text }, { deadline, signal, timeoutMs: ATTEMPT_MS }),
        bounds,
      );
    } catch (error) {
      if (hasCrashed(error)) recovery.report(error, { subject: pool, operation: stillCounts });
      throw error;
    }
  };
};
