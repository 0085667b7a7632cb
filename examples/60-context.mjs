/** Concurrent builds, each with its own log, timer and verbosity; and a job in a thread that is told whom it works for. */
import {
  contextKey,
  contextLog,
  createSystem,
  currentContext,
  operation,
  pool,
  thread,
  withContext,
} from 'troupe';

const tenant = contextKey('tenant', { default: 'nobody', carried: true });

// Knows nothing of operations: it finds the one that it is called in.
const compile = async (file) => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  contextLog.info(`${currentContext().get(tenant)} compiled ${file}`);
  contextLog.debug(`${file}: 0 warnings`);
};

const build = async (name, verbose) => {
  const lines = [];
  const output = { write: (line) => lines.push(line.slice('00:00.00 '.length).trimEnd()) };
  const compileAll = async () => {
    await compile('main.c');
    await compile('util.c');
  };
  await withContext(tenant.of(name), () => operation({ output, verbose }, compileAll));
  return lines;
};
for (const lines of await Promise.all([build('acme', false), build('globex', true)])) console.log(lines);

const handlers = { whose: (_args, { context }) => context.tenant };
const system = createSystem();
const workers = await system.start(pool('workers', { size: 1, worker: thread({ handlers }) }));
const whose = (context) => workers.run('whose', {}, { context });
console.log('the thread works for', await withContext(tenant.of('acme'), whose));
await system.shutdown();
