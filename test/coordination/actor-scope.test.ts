import { describe, expect, it } from 'vitest';
import { actorScope } from '../../src/coordination/actor-scope.ts';
import type { Scope } from '../../src/coordination/scope.ts';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { drawTree } from '../../src/kernel/tree.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, gate, part } from '../kernel/rig.ts';
import { deaf, obedient } from './scope-rig.ts';

/** A supervised actor with a scope. */
const owner = async (closeMs = 1_000) => {
  const rig = createRig();
  const scopes: Scope[] = [];
  const contexts: ActorContext[] = [];
  const child = part('owner', (context) => {
    contexts.push(context);
    scopes.push(actorScope(context, { name: 'tasks', closeMs }));
    return {
      tell: () => {
        throw new Error('as told');
      },
    };
  });
  const tree = supervisor('root', { children: [child] });
  await rig.start(tree);
  return { ...rig, scopes, contexts, handle: rig.system.get(child), tree };
};

describe('the scope of an actor', () => {
  it('is seen below it in the tree', async () => {
    const { system, scopes } = await owner();
    scopes[0]?.start('job', obedient);
    expect(drawTree(system.tree())).toContain('tasks');
  });

  it('closes when the actor crashes; the next incarnation starts when the tasks of the last have ended', async () => {
    const { host, scopes, handle } = await owner();
    const ending = gate();
    scopes[0]?.start('job', async (task) => {
      await obedient(task).catch(() => {});
      await ending.passed;
    });
    handle.tell('crash');
    await host.settle();
    expect([scopes.length, scopes[0]?.closing]).toEqual([1, true]);
    ending.open();
    await host.settle();
    expect(scopes).toHaveLength(2);
    expect(scopes[1]?.closing).toBe(false);
  });

  it.each(['kill', 'stop'])('closes when the actor ends by %s', async (how) => {
    const { host, scopes, contexts, system, handle } = await owner();
    const task = scopes[0]?.start('job', obedient);
    if (how === 'kill') system.exit(handle, 'kill');
    else contexts[0]?.stop();
    await host.settle();
    expect(task?.state).toBe('cancelled');
  });

  it('holds the end of the actor back no longer than it may', async () => {
    const { host, scopes, handle } = await owner(200);
    scopes[0]?.start('deaf', deaf);
    handle.tell('crash');
    await host.advance(199);
    expect(scopes).toHaveLength(1);
    await host.advance(1);
    expect(scopes).toHaveLength(2);
    expect(scopes[0]?.report().stragglers).toMatchObject([{ name: 'deaf' }]);
  });
});
