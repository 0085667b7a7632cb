/**
 * Tells a run as it goes: gathers what the live picture shows, and says in plain lines what happens where there is
 * no picture.
 */
import { CALM_MS } from './schedule.mjs';

const LOOK_MS = 50;
/** What one bar of the throughput stands for. */
const BUCKET_MS = 500;
/** Of the last answers, for the figures that are shown while the run goes on. */
const LATENCIES_SHOWN = 400;

const percentile = (numbers, share) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length === 0 ? undefined : Math.round(sorted[Math.floor((sorted.length - 1) * share)]);
};

export class Story {
  #run;
  #throughput = [];
  /** Strike → the state it was last told in. */
  #told = new Map();
  #counted = 0;
  #phase = 'under fire';
  #breaker;
  #stops = [];

  /** @param {{ options: any, workers: string, screen: any, ledger: any, client: any, observer: any, attack: any, startedAt: number }} run */
  constructor(run) {
    this.#run = run;
    const every = (ms, task) => {
      const timer = setInterval(task, ms);
      this.#stops.push(() => clearInterval(timer));
    };
    every(LOOK_MS, () => this.#look());
    every(BUCKET_MS, () => {
      this.#throughput.push(this.#counted);
      this.#counted = 0;
    });
    this.#stops.push(
      run.client.listen(({ kind, outcome }) => {
        if (kind === 'document' && outcome === 'succeeded') this.#counted += 1;
      }),
    );
    run.screen.start(() => this.#model());
  }

  enter(phase) {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.#say(phase);
  }

  /** The run is over; says how the service ended. */
  end({ code, signal, ms }) {
    for (const stop of this.#stops) stop();
    this.#tellStrikes();
    this.#say(`the service ended with ${signal ?? `exit code ${code}`} after ${Math.round(ms)} ms`);
  }

  get #elapsedMs() {
    return performance.now() - this.#run.startedAt;
  }

  get #totalMs() {
    return this.#run.options.seconds * 1_000;
  }

  #say(text) {
    this.#run.screen.line(`${(this.#elapsedMs / 1_000).toFixed(1).padStart(6)} s  ${text}`);
  }

  #look() {
    this.#tellStrikes();
    const state = this.#run.observer.status()?.breaker?.state;
    if (state !== this.#breaker && this.#breaker !== undefined)
      this.#say(`breaker ${state.replace('_', '-')}`);
    this.#breaker = state;
    if (this.#phase === 'under fire' && this.#elapsedMs >= this.#totalMs - CALM_MS) this.enter('calm');
  }

  #tellStrikes() {
    for (const strike of this.#run.attack.strikes) {
      const { kind, state, detail, recoveryMs, struckMs } = strike;
      if (this.#told.get(strike) === state || state === 'due' || state === 'striking') continue;
      // A quick recovery may have overtaken the telling.
      if (!this.#told.has(strike) && struckMs !== undefined) this.#say(`${kind} struck: ${detail}`);
      this.#told.set(strike, state);
      if (state === 'recovered') this.#say(`${kind} recovered in ${Math.round(recoveryMs)} ms`);
      else if (state !== 'struck') this.#say(`${kind} ${state}: ${detail}`);
    }
  }

  #model() {
    const { options, workers, screen, ledger, client, observer, attack } = this.#run;
    const recent = ledger.latenciesMs.slice(-LATENCIES_SHOWN);
    return {
      paint: screen.paint,
      seed: options.seed,
      workers,
      phase: this.#phase,
      elapsedMs: this.#elapsedMs,
      totalMs: this.#totalMs,
      status: observer.status(),
      counts: ledger.counts,
      requests: client.requests,
      throughput: this.#throughput,
      latencyMs: { p50: percentile(recent, 0.5), p99: percentile(recent, 0.99) },
      strikes: attack.strikes,
    };
  }
}
