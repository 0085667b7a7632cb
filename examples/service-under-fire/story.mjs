/**
 * Tells a run as it goes: gathers what the live picture shows, and says in plain lines what happens where there is
 * no picture.
 */
const TICK_MS = 500;
/** Of the last answers, for the figures that are shown while the run goes on. */
const LATENCIES_SHOWN = 400;

const percentile = (numbers, share) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length === 0 ? undefined : Math.round(sorted[Math.floor((sorted.length - 1) * share)]);
};

export const createStory = ({ options, workers, screen, ledger, client, observer, attack, startedAt }) => {
  const throughput = [];
  const told = new Map();
  let counted = 0;
  let lastCounted = 0;
  let phase = 'under fire';
  let lastBreaker;

  const elapsedMs = () => performance.now() - startedAt;
  const say = (text) => screen.line(`${(elapsedMs() / 1_000).toFixed(1).padStart(6)} s  ${text}`);

  const tellStrikes = () => {
    for (const strike of attack.strikes) {
      const { kind, state, detail, recoveryMs, struckMs } = strike;
      if (told.get(strike) === state || state === 'due' || state === 'striking') continue;
      // A quick recovery may have overtaken the telling.
      if (!told.has(strike) && struckMs !== undefined) say(`${kind} struck: ${detail}`);
      told.set(strike, state);
      if (state === 'recovered') say(`${kind} recovered in ${Math.round(recoveryMs)} ms`);
      else if (state !== 'struck') say(`${kind} ${state}: ${detail}`);
    }
  };

  const tellBreaker = () => {
    const state = observer.status()?.breaker?.state;
    if (state !== undefined && state !== lastBreaker) {
      if (lastBreaker !== undefined) say(`breaker ${state.replace('_', '-')}`);
      lastBreaker = state;
    }
  };

  const enter = (next) => {
    if (phase === next) return;
    phase = next;
    say(next);
  };

  const stopListening = client.listen(({ kind, outcome }) => {
    if (kind === 'document' && outcome === 'succeeded') counted += 1;
  });
  const watching = setInterval(() => {
    tellStrikes();
    tellBreaker();
    const leftMs = options.seconds * 1_000 - elapsedMs();
    if (phase === 'under fire' && leftMs <= 4_000) enter('calm');
  }, 50);
  const ticking = setInterval(() => {
    throughput.push(counted - lastCounted);
    lastCounted = counted;
  }, TICK_MS);

  screen.start(() => {
    const recent = ledger.latenciesMs.slice(-LATENCIES_SHOWN);
    return {
      paint: screen.paint,
      seed: options.seed,
      workers,
      phase,
      elapsedMs: elapsedMs(),
      totalMs: options.seconds * 1_000,
      status: observer.status(),
      counts: ledger.counts,
      requests: client.requests,
      throughput,
      latencyMs: { p50: percentile(recent, 0.5), p99: percentile(recent, 0.99) },
      strikes: attack.strikes,
    };
  });

  return {
    enter,
    keep: (service) =>
      enter(`the service stays up at http://${service.address.host}:${service.address.port} until Ctrl-C`),
    interrupted: (signal) => enter(`${signal}: draining`),
    end: (shutdown) => {
      clearInterval(watching);
      clearInterval(ticking);
      stopListening();
      tellStrikes();
      say(
        `the service ended with ${shutdown.signal ?? `exit code ${shutdown.code}`} after ${Math.round(shutdown.ms)} ms`,
      );
    },
  };
};
