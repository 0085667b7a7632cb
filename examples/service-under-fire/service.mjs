/**
 * The service under fire: counts documents on a pool of worker processes and serves prices through a breaker. This is
 * what an application of troupe looks like: specs, a tree of them, resources around it, and `run()`.
 *
 * On stdout it says in JSON that it is ready and, at last, how it ended; its log goes to stderr.
 */
import process from 'node:process';
import { pino } from 'pino';
import {
  application,
  childProcess,
  circuitBreaker,
  connections,
  eventBus,
  keyedLocks,
  pool,
  recovery,
  resource,
  supervisor,
  taskScope,
} from 'troupe';
import { explorer } from 'troupe/explorer';
import { logTo } from 'troupe/pino';
import { createCatalogue } from './catalogue.mjs';
import { createDocuments } from './documents.mjs';
import { createEvents } from './events.mjs';
import { Front } from './front.mjs';
import { createPrices } from './prices.mjs';
import { createStatus } from './status.mjs';

const { UPSTREAM_URL: upstreamUrl, WORKERS: workers = 'node', TROUPE_DEMO_FAULTS: faults } = process.env;
const DEADLINE_MS = 9_000;

const modules = { node: './worker.mjs', python: './worker.py' };
const languages = workers === 'mixed' ? ['node', 'python'] : [workers];
const workerOf = (language) =>
  childProcess({
    language,
    module: new URL(modules[language], import.meta.url),
    // Where to leave traces for whoever attacks; without it marked documents are only counted.
    passEnv: faults === '1' ? ['TROUPE_DEMO_FOLDER'] : [],
  });

// Everything is quick here, so that a short run sees every recovery; the defaults suit longer lives.
const documents = pool('documents', {
  worker: languages.map(workerOf),
  size: { min: 4, max: 6 },
  queueLimit: 32,
  checkoutMs: 3_000,
  cancelGraceMs: 200,
  closeGraceMs: 500,
  pingEveryMs: 500,
  pingTimeoutMs: 1_000,
  retry: { idempotent: true, maxAttempts: 2 },
  replaceBackoff: { baseMs: 50, maxMs: 1_000 },
});
const prices = circuitBreaker('prices', { openMs: 500 });
const recover = recovery('recovery', {
  budgets: { criticalMs: 10_000 },
  retryBackoff: { baseMs: 200, maxMs: 2_000 },
});
// One writer a document; what happens, for whoever wants to know; what clients have asked for.
const writers = keyedLocks('writers');
const news = eventBus('news');
const requests = taskScope('requests', { onFailure: 'collect', origins: 'none' });
// First, so that it ends last and shows how the others do.
const view = explorer({ commands: true });
const tree = supervisor('under-fire', {
  children: [view, prices, documents, recover, writers, news, requests],
});

const log = resource('log', {
  open: ({ app }) => logTo(app.events, { logger: pino(pino.destination({ fd: 2, sync: true })) }),
  close: (stop) => stop(),
});

/** Whoever started this service holds the other end of its stdin: when they are gone, it goes too. */
const lifeline = resource('lifeline', {
  open: ({ app }) => process.stdin.on('end', () => void app.stop()).resume(),
  close: (stdin) => stdin.destroy(),
});

const upstream = resource('upstream', {
  dependsOn: [prices],
  open: ({ app }) => createPrices({ upstreamUrl, breaker: app.get(prices) }),
  close: (client) => client.close(),
});

const events = resource('events', {
  dependsOn: [news],
  open: ({ app }) => createEvents({ app, bus: app.get(news) }),
  close: (open) => open.close(),
});

let status = () => ({});

const front = resource('front', {
  dependsOn: [upstream, events, documents, recover, writers, news, requests],
  open: async ({ app }) => {
    status = createStatus({ app, documents, prices, recover, news, requests });
    const catalogue = createCatalogue({ locks: app.get(writers), bus: app.get(news) });
    const { feed } = app.resource(events);
    const server = new Front({
      countDocument: createDocuments({
        pool: app.get(documents),
        recovery: app.get(recover),
        requests: app.get(requests),
        catalogue,
      }),
      sendEvents: (request, response) => app.resource(streams).sse(request, response, { feed }),
      priceOf: app.resource(upstream).priceOf,
      status,
      live: () => ({ ok: app.health().live }),
      ready: () => ({ ok: app.health().ready, notReady: app.health().notReady }),
      blockLoop: faults === '1' ? holdLoop : undefined,
    });
    const { url } = app.get(view);
    console.log(JSON.stringify({ ready: true, port: await server.listen(), explorer: url }));
    return server;
  },
  drain: (server) => server.drain(),
  close: (server) => server.close(),
});

// Streams have no last answer: they end before the front that serves them drains.
const streams = connections('streams', { dependsOn: [front], retryMs: 200 });

const holdLoop = (forMs) => {
  const until = performance.now() + forMs;
  while (performance.now() < until);
};

const report = await application(tree, {
  resources: [log, lifeline, upstream, events, front, streams],
  deadlineMs: DEADLINE_MS,
}).run();
const { restarts, breaker, recoveries, gaveUp } = status();
const totals = { restarts, breaker, recoveries, gaveUp };
console.log(JSON.stringify({ stopped: true, survivors: report.survivors, status: totals }));
