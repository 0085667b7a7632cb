/** Every numbered example runs as it stands, and prints what it promises; the README's quick start is one of them. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { requires } from '../requirements.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** What each example must print; one without an entry here fails. */
const PROMISES: Readonly<Record<string, readonly RegExp[]>> = {
  '01-quick-start': [
    /words: 6/,
    /● shop {2}supervisor/,
    /├─ ● prices {2}breaker · closed/,
    /└─ ● documents {2}pool/,
  ],
  '02-let-it-crash.mjs': [/taken 250/, /ERR_CALLEE_ENDED ← cannot take -1/, /taken 100\n$/],
  '03-statechart.mjs': [/shut again by itself: shut/, /who is there\?/, /at the end: locked/],
  '04-circuit-breaker.mjs': [/(ECONNREFUSED\n){3}last known rate\n0.2 closed/],
  '05-workers.mjs': [/both at once: \[ 3, 7 \]/, /ERR_WORKER_EXITED · what it did is unknown/, /goes on: 11/],
  '06-recovery.mjs': [/recovered .* a new incarnation: true/],
  '07-graceful-shutdown.mjs': [/^shutdown \[\]\n$/],
  '30-cpu-bound-threads.mjs': [
    /primes: \[\n?\s*2, {1,2}3,/,
    /sum: 500000 · left here: 0/,
    /ERR_JOB_TIMEOUT · and the thread is used again: 3\n$/,
  ],
  '31-python-workers': [
    /\{ to: 2, be: 2, or: 1, not: 1 \}\nhello, troupe\n\[ 0, 1, 4, 9, 16 \]\nERR_JOB_FAILED KeyError\n$/,
  ],
  '33-another-language': [
    /^words: 6\nan error: ERR_JOB_FAILED\nno such job: ERR_JOB_INVALID\n/,
    /too long: ERR_JOB_TIMEOUT\nticks: 3 · the same process: true\nticks: 20 · another process: true\n$/,
  ],
  '10-check-chart.mjs': [
    /careful: 8 states, 0 problems/,
    /careless: "at most three" fails from open \{"items":3\} to open/,
    /to open \{"items":4\} after put, put, put, put\n$/,
  ],
  '08-simulate.mjs': [/careful: 300 runs, 0 failures/, /careless: nobody passes unpaid, after push\n$/],
  '09-hold.mjs': [
    /^feed held/,
    /○ feed {2}server · held/,
    /feed released half_opened/,
    /● upstream {2}breaker · closed.*\n└─ ● feed {2}server\n$/,
  ],
  '20-policies.mjs': [
    /attempt 1 failed\nthe price of today/,
    /open after 4 failures/,
    /the price of yesterday\n$/,
  ],
  '21-half-open.mjs': [/^open\n\[ 'answer 1', 'answer 2', 'answer 3', 'ERR_BREAKER_PROBING' \]\nclosed\n$/],
  '40-streams.mjs': [
    /^event: price\ndata: \{"tea":260\}\n\nevent: price\ndata: \{"coffee":300\}\n\nretry: …\n$/,
  ],
  '41-health-monitor.mjs': [
    /^ready: false · live: true · shop\/health\nready: true · connections opened: 2\n$/,
  ],
  '42-web-sockets.mjs': [
    /^a page of another site: Unexpected server response: 403\n/,
    /\{"echo":"to be"\}\n\{"echo":"or not to be"\}\ndrained: 1012, retry=…\n$/,
  ],
  '22-limits.mjs': [
    /^\[ 'done', 'done', 'ERR_BULKHEAD_FULL' \]\n2 of 3 waited\n/,
    /\[ 'done', 'ERR_LOAD_SHED', 'done', 'ERR_LOAD_SHED' \]\n$/,
  ],
  '60-context.mjs': [
    /\[ 'acme compiled main.c', 'acme compiled util.c' \]/,
    /'globex compiled main.c',\n {2}'main.c: 0 warnings',\n/,
    /'globex compiled util.c',\n {2}'util.c: 0 warnings'/,
    /the thread works for acme\n$/,
  ],
  '61-leak-audit.mjs': [
    /task deaf outlived request 7: 61-leak-audit.mjs:\d+/,
    /timer reminder outlived request 7: 61-leak-audit.mjs:\d+/,
    /tasks: 4 of 3\n4 tasks run, 3 of them the service's\n$/,
  ],
  '50-locks.mjs': [
    /^written: by the first editor\nwritten: by who waited for it\n/,
    /\nrefused: by the first editor, late\n0 keys held\n$/,
  ],
  '51-scopes.mjs': [
    /^mirror: cleaned up\ndisk full\ncancelled 1 · still running: deaf\n/,
    /started at 51-scopes\.mjs:\d+\nERR_SCOPE_CLOSED\n$/,
  ],
  '52-events.mjs': [
    /^booked 1\nbooked 2\nbooked 3\norder\.\*,order\.paid · the one that hung is gone\nkept: 3\n/,
    /sent 1\nsent 2\nsent 3\nreplayed: 3\n$/,
  ],
  '70-session.mjs': [
    /^= 6\nhello Ada\n! ERR_EXECUTION_FAILED total\.toUppercase is not a function\n/,
    /! ERR_EXECUTION_TIMEOUT \n= 6\n! ERR_WORKER_EXITED \n= \[ 'Ada', 6 \]\nprocesses: 2\n$/,
  ],
  '32-pool.mjs': [
    /grown to 4 workers; the urgent one was early: true/,
    /ann has visited the same worker 4 times/,
    /streamed 1 2 3 4 5/,
    /accepted 35 succeeded 35/,
  ],
};

const numbered = readdirSync(`${root}examples`).filter(
  (name) =>
    /^\d\d-/.test(name) &&
    name !== '05-workers' &&
    !(name === '31-python-workers' && requires('python3').skip) &&
    !(name === '33-another-language' && requires('perl').skip),
);

describe('examples', () => {
  it.each(numbered)('%s prints what it promises and ends by itself', async (name) => {
    const file = name.endsWith('.mjs') ? name : `${name}/index.mjs`;
    const { stdout } = await run(process.execPath, [file], { cwd: `${root}examples`, timeout: 60_000 });
    for (const promise of PROMISES[name] ?? [/no promise of this example is known/])
      expect(stdout).toMatch(promise);
  });

  it("the README's quick start is the example that was run, to the letter", () => {
    const readme = readFileSync(`${root}README.md`, 'utf8');
    const blocks = [...readme.matchAll(/```js\n(.*?)```/gs)].map((block) => block[1]);
    expect(blocks).toContain(readFileSync(`${root}examples/01-quick-start/index.mjs`, 'utf8'));
    expect(blocks).toContain(readFileSync(`${root}examples/01-quick-start/worker.mjs`, 'utf8'));
  });

  it('is required from CommonJS', async () => {
    const script =
      "const { application, supervisor } = require('troupe'); console.log(typeof application, typeof supervisor)";
    const { stdout } = await run(process.execPath, ['--no-warnings', '-e', script], { cwd: root });
    expect(stdout).toBe('function function\n');
  });
});
