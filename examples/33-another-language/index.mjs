/** Any executable that speaks the protocol is a worker: this one is in Perl, without an SDK (docs/PROTOCOL.md). */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { application, childProcess, pool, supervisor } from 'troupe';

const command = fileURLToPath(new URL('./worker.pl', import.meta.url));
const texts = pool('texts', { size: 1, worker: childProcess({ command: 'perl', args: [command] }) });
const app = await application(supervisor('works', { children: [texts] })).start();
const handle = app.get(texts);
const codeOf = (promise) => promise.catch(({ code }) => code);
const pid = () => handle.inspect().workers[0]?.pid;

console.log('words:', await handle.run('words', { text: 'to be or not to be' }));
console.log('an error:', await codeOf(handle.run('fail')));
console.log('no such job:', await codeOf(handle.run('dance')));

// It listens while it works: cancelled, it answers, and is used again.
const before = pid();
console.log('too long:', await codeOf(handle.run('tick', { times: 1_000 }, { timeoutMs: 100 })));
console.log('ticks:', await handle.run('tick', { times: 3 }), '· the same process:', pid() === before);

// Killed under a job that may be done twice, it is replaced, and nobody notices.
const job = handle.run('tick', { times: 20 }, { idempotent: true });
process.kill(pid(), 'SIGKILL');
console.log('ticks:', await job, '· another process:', pid() !== before);
await app.stop();
