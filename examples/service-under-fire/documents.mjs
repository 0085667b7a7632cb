/**
 * Documents, counted on the pool. Counting twice does no harm, so a document whose worker died is given to another by
 * the pool itself; one whose worker does not answer in its share of the time is tried once more here. What crashed
 * every worker that had it is reported to recovery, which makes sure that the pool still counts.
 *
 * Each is a task of the service's scope: nothing that a client asked for outlives it, or the service. What was counted is noted
 * in the catalogue before it is answered.
 */
import { createRetry, isTroupeError } from 'troupe';

/** What one try may take: far more than a document needs, and little enough that a second one fits in its deadline. */
const ATTEMPT_MS = 1_200;
const PROOF_MS = 2_000;

const hasCrashed = (error) =>
  isTroupeError(error, 'ERR_WORKER_EXITED') || isTroupeError(error, 'ERR_WORKER_PROTOCOL');

/**
 * @param {object} parts
 * @param {import('troupe').PoolHandle} parts.pool
 * @param {import('troupe').RecoveryHandle} parts.recovery
 * @param {import('troupe').ScopeHandle} parts.requests
 * @param {ReturnType<typeof import('./catalogue.mjs').createCatalogue>} parts.catalogue
 * @returns {(text: string, bounds: { timeoutMs: number, signal: AbortSignal }) => Promise<any>}
 */
export const createDocuments = ({ pool, recovery, requests, catalogue }) => {
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

  const count = async (text, { deadline, signal }) => {
    try {
      const counted = await attempts.execute(
        (call) => pool.run('count', { text }, { ...boundsOf(call), timeoutMs: ATTEMPT_MS }),
        { deadline, signal },
      );
      const { id, version } = await catalogue.note(text, counted, { signal });
      return { ...counted, document: id, version };
    } catch (error) {
      if (hasCrashed(error)) recovery.report(error, { subject: pool, operation: stillCounts });
      throw error;
    }
  };

  return (text, { timeoutMs, signal }) => {
    const task = requests.start('document', (task) => count(text, task), { timeoutMs });
    const leave = () => task.cancel(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    return task.result.finally(() => signal.removeEventListener('abort', leave));
  };
};

const boundsOf = ({ deadline, signal }) => ({ deadline, signal });
