/** A pool of worker processes in two languages; a job whose worker dies is given to another, once, if that does no harm. */
import { execFileSync } from 'node:child_process';
import { application, childProcess, pool, supervisor } from 'troupe';

const has = (command) => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const here = (file) => new URL(file, import.meta.url);
const node = childProcess({ module: here('./05-workers/worker.mjs') });
const python = childProcess({ language: 'python', module: here('./05-workers/worker.py') });

const sums = pool('sums', { size: 2, worker: has('python3') ? [node, python] : node });
const app = await application(supervisor('works', { children: [sums] })).start();
const handle = app.get(sums);

console.log('both at once:', await Promise.all([handle.run('add', [1, 2]), handle.run('add', [3, 4])]));

const died = await handle.run('die', null).catch((error) => error);
console.log(died.code, '· what it did is', died.outcome);
console.log('and the pool goes on:', await handle.run('add', [5, 6], { idempotent: true }));
await app.stop();
