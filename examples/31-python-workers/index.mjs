/** Python at work for a service in Node: its crashes, its memory and what it starts stay its own. */
import { application, childProcess, pool, supervisor } from 'troupe';

const python = childProcess({
  module: new URL('./worker.py', import.meta.url),
  // Nothing of this process's environment but what is named. More memory than this, and the worker is killed
  // and replaced.
  passEnv: ['PYTHONHASHSEED'],
  killAtBytes: 512 * 1024 * 1024,
});

const scripts = pool('scripts', { size: 2, worker: python });
const app = await application(supervisor('works', { children: [scripts] })).start();
const handle = app.get(scripts);

console.log(await handle.run('words', { lines: ['to be', 'or not to be'] }));
console.log(await handle.run('greet', { name: 'troupe' }));
console.log(await handle.run('squares', { below: 5 }));

const failed = await handle.run('greet', {}).catch((error) => error);
console.log(failed.code, failed.data.type);
await app.stop();
