/** A worker of the soak: it answers, and dies when it is told to. */
import process from 'node:process';
import { serveWorker } from 'troupe/worker';

serveWorker({
  answer: ({ number }) => ({ number, text: 'x'.repeat(number % 100) }),
  die: () => process.kill(process.pid, 'SIGKILL'),
});
