import { serveWorker } from 'troupe/worker';

serveWorker({ count: (text) => text.split(/\s+/).length });
