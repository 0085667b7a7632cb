/** Tasks belong to a scope: the first failure ends the rest, and a close says who did not listen. */
import { createScope, withScope } from 'troupe';

const cancelled = (signal) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });

const error = await withScope(async (scope) => {
  scope.start('mirror', async ({ signal }) => {
    await cancelled(signal).finally(() => console.log('mirror: cleaned up'));
  });
  scope.start('upload', () => Promise.reject(new Error('disk full')));
}).catch((reason) => reason);
console.log(error.message);

const service = createScope({ name: 'service', closeMs: 60 });
service.start('polite', ({ signal }) => cancelled(signal));
service.start('deaf', () => new Promise((resolve) => setTimeout(resolve, 200)));
const report = await service.close();
console.log('cancelled', report.cancelled, '· still running:', report.stragglers[0].name);
console.log('started at', /51-scopes\.mjs:\d+/.exec(report.stragglers[0].origin)[0]);
try {
  service.start('late', () => console.log('never'));
} catch ({ code }) {
  console.log(code);
}
