/** The worker process of the `process` case: troupe's own SDK, one handler that does nothing. */
import { serveWorker } from '../../dist/worker.js';

serveWorker({ noop: () => 1 });
