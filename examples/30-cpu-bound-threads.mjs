/** Work that computes goes to threads: side by side with the service, cancelled though it never awaits, given memory, not copies. */
import { application, pool, supervisor, thread, transfer } from 'troupe';

// The functions' source is sent: they see their arguments, and nothing of this file.
const crunchers = thread({
  handlers: {
    sum: (numbers) => numbers.reduce((total, each) => total + each, 0),
    *primes({ below }, context) {
      for (let n = 2; n < below && !context.cancelled; n++) {
        let isPrime = true;
        for (let i = 2; i * i <= n && isPrime; i++) isPrime = n % i !== 0;
        if (isPrime) yield n;
      }
    },
    spin(_args, context) {
      // `cancelled` looks for itself: this loop never lets the thread's events in.
      while (!context.cancelled);
    },
  },
  resourceLimits: { maxOldGenerationSizeMb: 64 },
});

const crunching = pool('crunching', { size: 2, worker: crunchers });
const app = await application(supervisor('works', { children: [crunching] })).start();
const handle = app.get(crunching);

console.log('primes:', await handle.run('primes', { below: 30 }));

const numbers = new Float64Array(1_000_000).fill(0.5);
console.log('sum:', await handle.run('sum', transfer(numbers)), '· left here:', numbers.length);

const late = await handle.run('spin', null, { timeoutMs: 100 }).catch((error) => error);
console.log(late.code, '· and the thread is used again:', await handle.run('sum', [1, 2]));
await app.stop();
