/**
 * What a breaker costs: closed and open calls beside a bare await, interleaved rounds in one process, medians.
 * Run with `node bench/breaker.bench.mjs` after `npm run build:js`; `--json` prints one object a line.
 */
import { createCircuitBreaker } from '../dist/resilience.js';

const ROUNDS = 41;
const CALLS = 50_000;

const work = async () => 1;
const failing = async () => {
  throw new Error('down');
};

const closed = createCircuitBreaker({ name: 'closed' });
const counting = createCircuitBreaker({ name: 'counting', window: { kind: 'count', size: 100 } });
const judging = createCircuitBreaker({
  name: 'judging',
  judge: (ending) => (ending.kind === 'returned' ? 'success' : 'failure'),
});
const open = createCircuitBreaker({ name: 'open', openMs: 3_600_000 });
for (let i = 0; i < 5; i++) await open.execute(failing).catch(() => {});
const { signal } = new AbortController();

const cases = {
  'bare await': async () => {
    for (let i = 0; i < CALLS; i++) await work();
  },
  'async wrapper': async () => {
    const wrapped = async () => await work();
    for (let i = 0; i < CALLS; i++) await wrapped();
  },
  'closed, consecutive': async () => {
    for (let i = 0; i < CALLS; i++) await closed.execute(work);
  },
  'closed, count window': async () => {
    for (let i = 0; i < CALLS; i++) await counting.execute(work);
  },
  'closed, own judge': async () => {
    for (let i = 0; i < CALLS; i++) await judging.execute(work);
  },
  'closed, admit + settle': async () => {
    for (let i = 0; i < CALLS; i++) {
      const token = closed.admit();
      await work();
      token.settle('success');
    }
  },
  'closed, timeoutMs': async () => {
    for (let i = 0; i < CALLS; i++) await closed.execute(work, { timeoutMs: 1_000 });
  },
  'closed, signal': async () => {
    for (let i = 0; i < CALLS; i++) await closed.execute(work, { signal });
  },
  'open, rejected': async () => {
    for (let i = 0; i < CALLS; i++) {
      try {
        await open.execute(work);
      } catch {
        // refused, as meant
      }
    }
  },
};

const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
for (let round = -5; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(cases)) {
    const began = performance.now();
    await run();
    if (round >= 0) times[name].push(((performance.now() - began) * 1e6) / CALLS);
  }
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const bare = median(times['bare await']);
for (const [name, values] of Object.entries(times)) {
  const ns = median(values);
  if (process.argv.includes('--json')) {
    console.log(
      JSON.stringify({ suite: 'resilience', case: name, ns: Math.round(ns), over: Math.round(ns - bare) }),
    );
  } else {
    console.log(
      `${name.padEnd(26)} ${ns.toFixed(0).padStart(7)} ns   ${`+${(ns - bare).toFixed(0)}`.padStart(7)}`,
    );
  }
}
