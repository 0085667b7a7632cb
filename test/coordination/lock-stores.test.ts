import { LocalLockStore } from '../../src/coordination/local-lock-store.ts';
import { describeLockStore } from './lock-store-conformance.ts';
import { RemoteLockStore } from './remote-lock-store.ts';

describeLockStore({
  name: 'the local store',
  latencyMs: 0,
  open: (host, permits) => new LocalLockStore({ host, permits }),
});

describeLockStore({
  name: 'a store behind a slow network',
  latencyMs: 60,
  open: (host, permits) => new RemoteLockStore(host, permits, { delayMs: 20, faultOneIn: 0 }),
});

describeLockStore({
  name: 'a store behind a network that loses, repeats and overtakes',
  latencyMs: 1_000,
  open: (host, permits) => new RemoteLockStore(host, permits, { delayMs: 30, faultOneIn: 4 }),
});
