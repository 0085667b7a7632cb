/** The result of a run, as one object for machines and as a table for people. */
import { KINDS } from './schedule.mjs';

/** One cause can break many conditions. */
const FAILURES_SHOWN = 15;

const percentile = (sorted, share) => {
  if (sorted.length === 0) return null;
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
};
const ascending = (numbers) => [...numbers].sort((a, b) => a - b);

/** How often each kind struck, and how often it was recovered from. */
export const faultCounts = (strikes) =>
  Object.fromEntries(
    KINDS.map((kind) => {
      const own = strikes.filter((strike) => strike.kind === kind);
      return [
        kind,
        {
          struck: own.filter(({ struckMs }) => struckMs !== undefined).length,
          recovered: own.filter(({ state }) => state === 'recovered').length,
        },
      ];
    }),
  );

/**
 * The object that `--json` prints.
 *
 * @param {{ failures: string[], options: import('./options.mjs').Options, strikes: any[], ledger: any, requests: any,
 *   events?: any, status: any, shutdown: any, orphans: number }} run
 */
export const createResult = ({
  failures,
  options,
  strikes,
  ledger,
  requests,
  events,
  status,
  shutdown,
  orphans,
}) => {
  const recoveries = ascending(strikes.flatMap(({ recoveryMs }) => recoveryMs ?? []));
  const latencies = ascending(ledger.latenciesMs);
  const { opened = 0, halfOpened = 0, closed = 0 } = status?.breaker ?? {};
  const { recovered = 0, gaveUp = 0, cancelled = 0 } = status?.recoveries ?? {};
  return {
    ok: failures.length === 0,
    seed: options.seed,
    seconds: options.seconds,
    faults: faultCounts(strikes),
    documents: { ...ledger.counts },
    words: { ...ledger.words },
    requests: { ...requests },
    events: { ...events },
    restarts: status?.restarts ?? 0,
    breaker: { opened, halfOpened, closed },
    recoveries: { recovered, gaveUp, cancelled },
    recoveryMs: { p50: percentile(recoveries, 0.5), max: percentile(recoveries, 1) },
    latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
    survivors: [...(shutdown?.survivors ?? [])],
    orphans,
  };
};

const number = (value) => (value === null ? '–' : value.toLocaleString('en-US'));

const faultRows = (strikes, paint) =>
  KINDS.map((kind) => {
    const own = strikes.filter((strike) => strike.kind === kind);
    const times = ascending(own.flatMap(({ recoveryMs }) => recoveryMs ?? []));
    const { struck, recovered } = faultCounts(strikes)[kind];
    const cell = (share) => `${number(percentile(times, share))}`.padStart(9);
    const counts = `${String(struck).padStart(8)}${String(recovered).padStart(11)}`;
    const row = `  ${kind.padEnd(20)}${counts}${cell(0.5)}${cell(1)}`;
    return struck === 0 || recovered < struck ? paint.red(row) : row;
  });

const describeShutdown = (shutdown, orphans) => {
  if (shutdown === undefined) return 'none';
  const { ms, code, signal, inFlight, inFlightSucceeded, refused } = shutdown;
  return (
    `${number(Math.round(ms))} ms, exit ${signal ?? code}, ${orphans} orphans; ` +
    `in flight ${inFlightSucceeded} of ${inFlight} done, new ${refused} refused`
  );
};

const totals = (result, shutdown) => {
  const { documents, words, requests, events, breaker, recoveries, latencyMs } = result;
  const row = (name, ...parts) => `  ${name.padEnd(12)}${parts.join(', ')}`;
  return [
    row(
      'documents',
      `${number(documents.accepted)} accepted`,
      `${number(documents.succeeded)} succeeded`,
      `${number(documents.failed)} failed`,
      `${number(documents.cancelled)} cancelled`,
    ),
    row('words', `${number(words.byWorkers)} by workers`, `${number(words.byDirectCount)} by direct count`),
    row(
      'requests',
      `${number(requests.ok)} ok`,
      `${number(requests.rejected)} rejected`,
      `${number(requests.failed)} failed`,
    ),
    row(
      'events',
      `${number(events.documents ?? 0)} documents heard of`,
      `${number(events.missed ?? 0)} missed`,
      `connected ${number(events.connections ?? 0)} ×`,
    ),
    row('latency', `p50 ${number(latencyMs.p50)} ms`, `p99 ${number(latencyMs.p99)} ms`),
    row('workers', `${number(result.restarts)} replaced`),
    row('breaker', `opened ${breaker.opened}`, `half-open ${breaker.halfOpened}`, `closed ${breaker.closed}`),
    row(
      'recoveries',
      `${recoveries.recovered} recovered`,
      `${recoveries.gaveUp} gave up`,
      `${recoveries.cancelled} cancelled`,
    ),
    row('shutdown', describeShutdown(shutdown, result.orphans)),
  ];
};

const verdict = ({ result: { ok, seed, seconds }, failures, interrupted, paint }) => {
  const which = `(seed ${seed}, ${seconds} s)`;
  if (interrupted) return paint.yellow(`  – broken off before anything could be said  ${which}`);
  if (ok) return paint.green(`  ✓ nothing was lost  ${which}`);
  const count = failures.length === 1 ? 'one condition does' : `${failures.length} conditions do`;
  return paint.red(`  ✗ ${count} not hold  ${which}`);
};

/**
 * The summary, as lines.
 *
 * @param {{ result: any, failures: string[], strikes: any[], shutdown: any, interrupted: boolean, paint: any }} what
 */
export const summaryLines = ({ result, failures, strikes, shutdown, interrupted, paint }) => [
  '',
  paint.bold('  fault                 struck  recovered   p50 ms   max ms'),
  ...faultRows(strikes, paint),
  '',
  ...totals(result, shutdown),
  '',
  ...failures.slice(0, FAILURES_SHOWN).map((failure) => `  ${paint.red('✗')} ${failure}`),
  ...(failures.length > FAILURES_SHOWN ? [`    … and ${failures.length - FAILURES_SHOWN} more`] : []),
  verdict({ result, failures, interrupted, paint }),
];
