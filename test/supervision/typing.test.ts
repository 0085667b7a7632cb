import { describe, expect, expectTypeOf, it } from 'vitest';
import { application } from '../../src/application/application.ts';
import { resource } from '../../src/application/resource.ts';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import type { Spec } from '../../src/kernel/spec.ts';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { type DynamicSupervisorHandle, dynamicSupervisor } from '../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../src/supervision/supervisor-handle.ts';

const worker = actor('worker', server({ init: () => ({}), call: { ping: () => 'pong' as const } }));
type Worker = typeof worker extends Spec<infer H> ? H : never;

/** What the compiler must accept, and what it must refuse: never run, only compiled. */
const compiles = {
  trees: () => {
    const inner = supervisor('inner', { children: [worker.as('a'), worker.as('b')] });
    const tree = supervisor('root', { strategy: 'rest_for_one', children: [worker, inner] });
    expectTypeOf(tree).toEqualTypeOf<Spec<SupervisorHandle>>();
    expectTypeOf(dynamicSupervisor('crowd')).toEqualTypeOf<Spec<DynamicSupervisorHandle>>();
  },

  dependencies: () => {
    const breaker = circuitBreaker('upstream');
    const logic = server({ init: () => ({}) });
    actor('one', logic, { dependsOn: breaker, holdMaxMs: 1_000 });
    actor('several', logic, { dependsOn: [breaker, breaker.as('other')] });
    supervisor('s', { children: [], dependsOn: breaker });
    dynamicSupervisor('d', { dependsOn: [breaker] });
    // @ts-expect-error only on breakers
    actor('wrong', logic, { dependsOn: worker });
    // @ts-expect-error only on specs
    actor('wrong', logic, { dependsOn: 'upstream' });
    // @ts-expect-error times are numbers
    actor('wrong', logic, { dependsOn: breaker, holdMaxMs: '60s' });
    // @ts-expect-error a breaker waits for no other
    circuitBreaker('wrong', { dependsOn: breaker });
  },

  options: () => {
    // @ts-expect-error no such strategy
    supervisor('s', { children: [], strategy: 'simple_one_for_one' });
    // @ts-expect-error children are specs
    supervisor('s', { children: [{}] });
    // @ts-expect-error children are a list
    supervisor('s', { children: worker });
    // @ts-expect-error it has children
    supervisor('s', {});
    // @ts-expect-error no such option
    supervisor('s', { children: [], maxRestarts: 3 });
    // @ts-expect-error times are numbers
    supervisor('s', { children: [], periodMs: '5s' });
    // @ts-expect-error no such way to give up
    supervisor('s', { children: [], giveUp: 'always' });
    // @ts-expect-error a supervisor gets no input
    supervisor('s', { children: [], input: 1 });
    // @ts-expect-error a dynamic supervisor starts without children
    dynamicSupervisor('d', { children: [worker] });
    supervisor('s', { children: [], giveUp: { afterFailures: 3 }, backoff: { jitter: 'none' } });
    supervisor('s', { children: [], backoff: false, onGiveUp: 'shutdown' });
  },

  operations: async (handle: SupervisorHandle, crowd: DynamicSupervisorHandle) => {
    expectTypeOf(await handle.startChild(worker)).toEqualTypeOf<Worker>();
    expectTypeOf(await crowd.startChild(worker.as('w2'))).toEqualTypeOf<Worker>();
    expectTypeOf(await handle.recycleChild('a')).toEqualTypeOf<'restarted' | 'already' | 'failed'>();
    expectTypeOf(await handle.terminateChild('a')).toEqualTypeOf<void>();
    const [row] = await handle.whichChildren();
    expectTypeOf(row?.type).toEqualTypeOf<'supervisor' | 'worker' | undefined>();
    // @ts-expect-error a child is started by its spec
    void handle.startChild('a');
    // @ts-expect-error a child is terminated by its id
    void handle.terminateChild(worker);
    // @ts-expect-error dynamic children are not restarted by hand
    void crowd.restartChild('a');
  },

  applications: async () => {
    const database = resource('database', {
      open: async () => ({ query: (_sql: string) => 1 }),
      close: () => {},
    });
    const http = resource('http', {
      dependsOn: [worker, database],
      open: ({ app }) => {
        expectTypeOf(app.get(worker)).toEqualTypeOf<Worker>();
        expectTypeOf(app.resource(database).query('x')).toEqualTypeOf<number>();
        return 80;
      },
      drain: (port) => expectTypeOf(port).toEqualTypeOf<number>(),
      close: (port, { remainingMs }) => expectTypeOf([port, remainingMs]).toEqualTypeOf<number[]>(),
    });
    const app = await application(supervisor('root', { children: [worker] }), {
      resources: [http, database],
    }).start();
    expectTypeOf(await app.get(worker).call({ type: 'ping' })).toEqualTypeOf<'pong'>();
    expectTypeOf((await app.stop()).survivors).toEqualTypeOf<readonly string[]>();
    // @ts-expect-error a resource is closed
    resource('r', { open: () => 1 });
    // @ts-expect-error it opens after resources and specs
    resource('r', { open: () => 1, close: () => {}, dependsOn: ['database'] });
    // @ts-expect-error no such choice
    void application(worker).run({ strayErrors: 'ignore' });
    // @ts-expect-error no such signal
    void application(worker).run({ signals: ['SIGSOMETHING'] });
  },
};

describe('the types of supervision and applications', () => {
  it('accept what is meant and refuse what is not: the compiler has checked this file', () => {
    expect(Object.keys(compiles)).not.toHaveLength(0);
  });
});
