import { chmodSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { childProcess } from '../../src/work/child-process.ts';
import { inProcess } from '../../src/work/in-process.ts';
import { thread } from '../../src/work/thread.ts';
import { requires } from '../requirements.ts';
import { handlers } from './fixtures/kind-jobs.mjs';
import { runWorkerKindSuite } from './worker-kinds.suite.ts';

const fixture = (file: string): URL => new URL(`./fixtures/${file}`, import.meta.url);
const perl = fileURLToPath(fixture('kind-worker.pl'));
chmodSync(perl, 0o755);
const runPerl = (...args: string[]) => childProcess({ command: perl, args });
const python = (...args: string[]) => childProcess({ module: fixture('kind_worker.py'), args });

runWorkerKindSuite({
  name: 'in-process',
  kind: inProcess({ handlers }),
  hanging: inProcess({ handlers, create: () => new Promise(() => {}) }),
  failing: inProcess({ handlers, create: () => Promise.reject(new Error('no database here')) }),
  sendsAnything: 'nothing is sent: the caller gets the very value',
  cannotBeEnded: 'it is the code of this process',
});

runWorkerKindSuite({
  name: 'thread',
  kind: thread({ module: fixture('kind-worker.mjs') }),
  hanging: thread({ module: fixture('hanging-worker.mjs') }),
  failing: thread({ module: fixture('failing-worker.mjs') }),
});

runWorkerKindSuite({
  name: 'Node process',
  kind: childProcess({ module: fixture('kind-worker.mjs') }),
  hanging: childProcess({ module: fixture('hanging-worker.mjs') }),
  failing: childProcess({ module: fixture('failing-worker.mjs') }),
});

runWorkerKindSuite({
  name: 'Python process',
  skip: requires('python3').skip,
  kind: python(),
  hanging: python('hang'),
  failing: python('fail'),
  interrupts: true,
});

runWorkerKindSuite({
  name: 'executable',
  skip: requires('perl').skip,
  kind: runPerl(),
  hanging: runPerl('hang'),
  failing: runPerl('fail'),
});
