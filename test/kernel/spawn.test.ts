import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { IGNORE } from '../../src/kernel/logic.ts';
import type { ExitReason } from '../../src/kernel/reason.ts';
import { createRig, part, watch } from './rig.ts';

/** A parent whose context a test uses. */
const parent = async () => {
  const rig = createRig();
  let own!: ActorContext;
  const got: unknown[] = [];
  await rig.start(
    part('parent', (context) => {
      own = context;
      return { tell: (m) => void got.push(m), info: (info) => void got.push(info.type) };
    }),
  );
  return { ...rig, context: own, got };
};

const mortal = (id: string) =>
  part(id, (context) => ({
    tell: (reason) => context.stop(reason as ExitReason),
    call: (m) => `${context.path} ${m}`,
  }));

describe('spawn', () => {
  it('starts a child below its parent and gives its handle', async () => {
    const { context, host, system } = await parent();
    const child = await host.runUntil(context.spawn(mortal('child')));
    expect(await host.runUntil(child.call('here'))).toBe('parent/child here');
    expect(system.tree()).toMatchObject([{ id: 'parent', children: [{ path: 'parent/child' }] }]);
  });

  it('rejects when the child does not start or ignores; its place is free again', async () => {
    const { context, host } = await parent();
    let tries = 0;
    const child = part('child', () => {
      tries += 1;
      if (tries === 1) throw new Error('not yet');
      return tries === 2 ? IGNORE : {};
    });
    const failed = watch(context.spawn(child));
    await host.settle();
    expect(failed).toMatchObject({ now: 'ERR_INIT_FAILED', error: { cause: { message: 'not yet' } } });
    const ignored = watch(context.spawn(child));
    await host.settle();
    expect(ignored.now).toBe('ERR_NOPROC');
    expect(await host.runUntil(context.spawn(child))).toMatchObject({ path: 'parent/child' });
  });

  it('tells the parent once, in a turn of its own, when the child and all below it are gone', async () => {
    const { context, host, got, system } = await parent();
    const ended = (reason: ExitReason) => void got.push(['ended', reason, context.now()]);
    const child = await host.runUntil(context.spawn(mortal('child'), { ended }));
    system.suspend(context.self);
    child.tell({ shutdown: 'moved' });
    await host.settle();
    expect(got).toEqual([]);
    system.resume(context.self);
    await host.settle();
    expect(got).toEqual([['ended', { shutdown: 'moved' }, 0]]);
    const failing = part('failing', () => {
      throw new Error('no');
    });
    await host.runUntil(context.spawn(failing, { ended }).catch(() => undefined));
    await host.settle();
    expect(got).toHaveLength(2);
  });

  it('leaves the parent alone when the child crashes, unless what it is told throws', async () => {
    const { context, host, ends } = await parent();
    const quiet = await host.runUntil(context.spawn(mortal('quiet')));
    quiet.tell({ error: 'crash' });
    await host.settle();
    expect(ends('parent')).toEqual([]);
    const child = await host.runUntil(
      context.spawn(mortal('loud'), {
        ended: () => {
          throw new Error('handler');
        },
      }),
    );
    child.tell('normal');
    await host.settle();
    expect(ends('parent')).toMatchObject([{ error: { message: 'handler' } }]);
  });

  it('is refused for a spec that stands elsewhere', async () => {
    const { context, host, start } = await parent();
    const spec = mortal('standing');
    await start(spec);
    const spawned = watch(context.spawn(spec));
    await host.settle();
    expect(spawned.now).toBe('ERR_SPEC_DUPLICATE');
  });
});
