import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { createRig, part } from './rig.ts';

/** An actor whose context a test holds. */
const held = async (trap = false) => {
  const rig = createRig();
  let context!: ActorContext;
  const seen: string[] = [];
  const spec = part('a', (own) => {
    context = own;
    own.trapExit = trap;
    return {
      tell: (message) => {
        if (message === 'throw') throw new Error('as told');
      },
      terminate: () => void seen.push('terminate'),
      reap: () => void seen.push('reap'),
    };
  });
  const handle = await rig.start(spec);
  return { ...rig, handle, context, seen };
};

describe('what is held for an actor is let go of', () => {
  it('when it stops, after its own clean-up, in the order of asking, with the reason', async () => {
    const { context, seen, host } = await held();
    context.onEnd((reason) => seen.push(`first ${String(reason)}`));
    context.onEnd((reason) => seen.push(`second ${String(reason)}`));
    context.stop('shutdown');
    await host.settle();
    expect(seen).toEqual(['terminate', 'reap', 'first shutdown', 'second shutdown']);
  });

  it('when it crashes', async () => {
    const { context, seen, host, handle } = await held();
    context.onEnd((reason) => seen.push(Object.keys(reason).join()));
    handle.tell('throw');
    await host.settle();
    expect(seen).toEqual(['terminate', 'reap', 'error']);
  });

  it('when it is killed', async () => {
    const { context, seen, host, handle, system } = await held();
    context.onEnd((reason) => seen.push(String(reason)));
    system.exit(handle, 'kill');
    await host.settle();
    expect(seen).toEqual(['reap', 'killed']);
  });

  it('not once it was taken back, also by another that is let go of before it', async () => {
    const { context, seen, host } = await held();
    const first = context.onEnd(() => seen.push('first'));
    context.onEnd(() => third());
    const third = context.onEnd(() => seen.push('third'));
    first();
    first();
    context.stop();
    await host.settle();
    expect(seen).toEqual(['terminate', 'reap']);
  });

  it('also where one of them throws, which is told as an error of that actor', async () => {
    const { context, seen, host, told } = await held();
    context.onEnd(() => {
      throw new Error('does not let go');
    });
    context.onEnd(() => seen.push('second'));
    context.stop();
    await host.settle();
    expect(seen).toEqual(['terminate', 'reap', 'second']);
    expect(told('actor.threw')).toMatchObject([{ path: 'a', error: new Error('does not let go') }]);
  });
});
