import { serveWorker } from 'troupe/worker';

serveWorker({
  add: ([a, b]) => a + b,
  die: () => process.exit(7),
});
