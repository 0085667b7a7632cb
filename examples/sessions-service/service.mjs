/** Sessions over HTTP: `node service.mjs [--port 8080] [--folder ./users]`. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { application, connections, httpServer, keyedLocks, resource, supervisor } from 'troupe';
import { codeExecutor } from 'troupe/execution';
import { createFront } from './front.mjs';
import { Workbench } from './workbench.mjs';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '8080' }, folder: { type: 'string' } },
});
const folder = resolve(values.folder ?? (await mkdtemp(join(tmpdir(), 'sessions-service-'))));

const MIB = 2 ** 20;
const code = codeExecutor('code', {
  maxSessions: 100,
  limits: { memoryBytes: 1_024 * MIB, outputBytes: 10 * MIB },
  registry: join(folder, '.processes'),
});
/** One writer for each file of each user. */
const files = keyedLocks('files', { maxWaitMs: 1_000 });
const tree = supervisor('sessions', { children: [code, files] });

const streams = connections('streams');
const http = httpServer('http', {
  port: Number(values.port),
  connections: streams,
  dependsOn: [tree],
  handler: ({ app }) =>
    createFront({
      workbench: new Workbench({ executor: app.get(code), locks: app.get(files), folder }),
      streams: app.resource(streams),
      health: () => app.health(),
    }),
});

const address = resource('address', {
  dependsOn: [http],
  open: ({ app }) => console.log(`http://127.0.0.1:${app.resource(http).address().port}`),
  close: () => undefined,
});

await application(tree, { resources: [http, streams, address], deadlineMs: 10_000 }).run();
