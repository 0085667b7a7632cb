/** What the service says of itself at `/status`: its tree, its workers, its breaker and its recoveries, as plain data. */

/** States in which a worker does or takes work. They are for people; the pool goes by its own verdicts. */
const WORKING = new Set(['ready', 'busy']);

/**
 * @param {object} parts
 * @param {import('troupe').Application} parts.app
 * @param {import('troupe').Spec<import('troupe').PoolHandle>} parts.documents
 * @param {import('troupe').Spec<import('troupe').BreakerHandle>} parts.prices
 * @param {import('troupe').Spec<import('troupe').RecoveryHandle>} parts.recover
 * @param {import('troupe').Spec<import('troupe').BusHandle>} parts.news
 * @param {import('troupe').Spec<import('troupe').ScopeHandle>} parts.requests
 */
export const createStatus = ({ app, documents, prices, recover, news, requests }) => {
  const [pool, breaker, recovery] = [app.get(documents), app.get(prices), app.get(recover)];
  const [bus, scope] = [app.get(news), app.get(requests)];
  const counts = { opened: 0, halfOpened: 0, closed: 0, workersStarted: 0, gaveUp: 0, stalls: 0 };
  const count = (type, name) =>
    app.events.on(type, () => {
      counts[name] += 1;
    });
  count('breaker.opened', 'opened');
  count('breaker.half_opened', 'halfOpened');
  count('breaker.closed', 'closed');
  count('pool.worker.started', 'workersStarted');
  count('supervisor.gave_up', 'gaveUp');
  count('host.stalled', 'stalls');
  // Those of the start are no restarts, and this begins after them.
  return () => {
    const { state, size, workers, waiting } = pool.inspect();
    const { active, recovered, gaveUp, cancelled } = recovery.metrics();
    const { opened, halfOpened, closed } = counts;
    return {
      phase: app.health().phase,
      pool: state,
      size: size.min,
      queued: waiting,
      restarts: counts.workersStarted,
      workers: workers.map((worker) => ({
        id: worker.id,
        pid: worker.pid,
        language: worker.kind,
        state: worker.state,
        fit: WORKING.has(worker.state) && worker.health === 'healthy',
      })),
      breaker: { state: breaker.inspect().state, opened, halfOpened, closed },
      recoveries: { active, recovered, gaveUp, cancelled },
      requests: scope.report()?.stragglers.length ?? 0,
      published: bus.inspect().published,
      gaveUp: counts.gaveUp,
      stalls: counts.stalls,
      tree: app.tree(),
    };
  };
};
