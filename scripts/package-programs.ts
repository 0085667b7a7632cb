/**
 * A program for each way into the package, as a user's strict TypeScript project would have it, and what it prints. They are text: what
 * they import is the packed package, not this repository.
 */

/** The file's name, without its ending, is the way in: `.` is `main`. */
export interface Program {
  readonly source: string;
  /** A line that it prints; `undefined`: it is not run by itself. */
  readonly prints: string | undefined;
}

const main = `import { actor, application, inProcess, pool, server, supervisor, thread } from 'troupe';

const init = (): { n: number } => ({ n: 0 });
const add = (state: { n: number }, { by }: { type: 'add'; by: number }): number => (state.n += by);
const counter = actor('counter', server({ init, call: { add } }));
const count = (text: string): number => text.split(' ').length;
const words = pool('words', { size: 1, worker: inProcess({ handlers: { count } }) });
const loud = pool('loud', { size: 1, worker: thread({ module: new URL('./worker.js', import.meta.url) }) });
await using app = await application(supervisor('root', { children: [counter, words, loud] })).start();
const sum: number = await app.get(counter).call({ type: 'add', by: 2 });
console.log(sum, await app.get(words).run<number>('count', 'a b c'), await app.get(loud).run('shout', 'hi'));
`;

const worker = `import { serveWorker } from 'troupe/worker';

serveWorker({ shout: (text: string) => text.toUpperCase() });
`;

const resilience = `import { createBulkhead, createCircuitBreaker } from 'troupe/resilience';
import { createRetry, createTimeout, wrap } from 'troupe/resilience';

const attempts = createRetry({ maxAttempts: 2, backoff: { baseMs: 1 } });
const inner = [createCircuitBreaker(), createBulkhead({ limit: 2 })] as const;
const guard = wrap(createTimeout({ timeoutMs: 1_000 }), attempts, ...inner);
let failures = 1;
const answer: number = await guard.execute(async () => {
  if (failures-- > 0) throw new Error('once');
  return 42;
});
console.log(answer, attempts.inspect().retries);
`;

const pino = `import { createSystem, inProcess, pool } from 'troupe';
import { logTo } from 'troupe/pino';

const system = createSystem();
const stop = logTo(system.events);
const worker = inProcess({ handlers: { same: (value: number) => value } });
const handle = await system.start(pool('p', { size: 1, worker }));
const value = await handle.run('same', 1);
await system.shutdown();
stop();
console.log('logged', value);
`;

const testing = `import { createSystem, pool } from 'troupe';
import { type ScriptedKind, SimulatedHost, scriptedWorkers } from 'troupe/testing';

const host = new SimulatedHost();
const system = createSystem({ host });
const worker: ScriptedKind = scriptedWorkers();
const handle = await host.runUntil(system.start(pool('p', { size: 1, worker })));
const late = handle.run('any', { do: 'succeed', value: 'done', afterMs: 60_000 }, { timeoutMs: 90_000 });
console.log(await host.runUntil(late), host.monotonic());
`;

const explorer = `import { application, supervisor } from 'troupe';
import { explorer } from 'troupe/explorer';

const view = explorer({ port: 0 });
const app = await application(supervisor('root', { children: [view] })).start();
console.log(app.drawTree().split('\\n')[0]?.trim());
await app.stop();
`;

const execution = `import { createSystem } from 'troupe';
import { codeExecutor } from 'troupe/execution';

const system = createSystem();
const executor = await system.start(codeExecutor('code'));
const session = await executor.session({ language: 'javascript' });
const { value } = await session.execute('[1, 2, 3].map((n) => n * 2)').result;
console.log('executed', JSON.stringify(value));
await system.shutdown();
`;

/** By the name under which the package exports it. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  '.': { source: main, prints: '2 3 HI' },
  './worker': { source: worker, prints: undefined },
  './execution': { source: execution, prints: 'executed [2,4,6]' },
  './resilience': { source: resilience, prints: '42 1' },
  './pino': { source: pino, prints: 'logged 1' },
  './testing': { source: testing, prints: 'done 60000' },
  './explorer': { source: explorer, prints: '● root  supervisor · strategy one_for_one' },
};
