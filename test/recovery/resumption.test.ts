import { describe, expect, it } from 'vitest';
import { createSystem } from '../../src/kernel/system.ts';
import { classificationData, defaultClassifier } from '../../src/recovery/classification.ts';
import { type Journal, type JournalEntry, MemoryJournal } from '../../src/recovery/journal.ts';
import { recovery } from '../../src/recovery/recovery.ts';
import { remedies } from '../../src/recovery/remedy.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { coded, failing, held, setUp } from './setup.ts';

const SUBJECT = { subject: 'app/prices' };

describe('when the orchestrator crashes', () => {
  it('a recovery goes on after the restart: the step that ran runs again under its key, its signal having fired', async () => {
    const step = held();
    const { host, handle, crash } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    await crash();
    expect(step.calls.map(({ key, attempt }) => [key, attempt])).toEqual([
      [`${id}/retry`, 1],
      [`${id}/retry`, 1],
    ]);
    expect(step.calls.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(handle.inspect().stragglers).toEqual([`${id}/retry`]);
    step.first()?.fail(new Error('late'));
    step.last()?.succeed('well');
    expect(await host.runUntil(done)).toMatchObject({ outcome: 'recovered', value: 'well', recovery: id });
    expect(handle.inspect().stragglers).toEqual([]);
  });

  it('steps that are done are not done again', async () => {
    const done: string[] = [];
    const last = held();
    const { host, handle, crash } = await setUp({
      playbook: [
        {
          subjects: '**',
          remedy: remedies.named('rebuild'),
          remedies: {
            rebuild: { drop: () => done.push('drop'), load: () => done.push('load'), check: last.step },
          },
        },
      ],
    });
    const reported = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    await crash();
    await crash();
    last.last()?.succeed();
    expect(await host.runUntil(reported.done)).toMatchObject({ outcome: 'recovered' });
    expect(done).toEqual(['drop', 'load']);
    expect(last.calls).toHaveLength(3);
  });

  it('its deadline is not put off while its actor comes and goes', async () => {
    const step = held();
    const { host, handle, crash } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { done } = handle.report(coded('EPIPE'), SUBJECT);
    for (let n = 0; n < 3; n++) {
      await host.advance(9_000);
      await crash();
    }
    expect(await host.runUntil(done)).toMatchObject({
      outcome: 'gave_up',
      durationMs: 30_000,
      error: { code: 'ERR_RECOVERY_DEADLINE' },
    });
  });

  it('where nobody is to come back, all who wait hear so at once, and nothing begins any more', async () => {
    const step = held();
    const { host, handle, system, spec, told } = await setUp({
      playbook: [{ subjects: '**', retry: step.step }],
    });
    const first = handle.report(coded('EPIPE'), SUBJECT);
    await host.advance(20_000);
    const second = handle.report(coded('EPIPE'), SUBJECT);
    expect(second.coalesced).toBe(true);
    for (let n = 0; n < 10; n++) {
      system.exit(system.get(spec), 'kill');
      await host.settle();
    }
    expect(system.get(spec).ref()).toBeUndefined();
    const ended = { outcome: 'cancelled', durationMs: 20_000, error: { code: 'ERR_RECOVERY_CANCELLED' } };
    expect(await host.runUntil(first.done)).toMatchObject(ended);
    expect(await host.runUntil(second.done)).toMatchObject({ ...ended, coalesced: true });
    expect(await host.runUntil(handle.handle(coded('EPIPE'), SUBJECT))).toMatchObject({
      outcome: 'refused',
      error: { code: 'ERR_STOPPING' },
    });
    expect(told().filter((line) => line.startsWith('started'))).toHaveLength(1);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('attempts that failed before count after', async () => {
    const { host, handle, crash } = await setUp();
    const operation = failing(...new Array(9).fill(coded('EPIPE')));
    const { done } = handle.report(coded('EPIPE'), { ...SUBJECT, operation: operation.step(host) });
    await host.advance(3_500);
    expect(operation.at).toEqual([0, 1_000, 3_000]);
    await crash();
    expect(await host.runUntil(done)).toMatchObject({ outcome: 'gave_up', steps: 5 });
    expect(operation.at).toHaveLength(5);
  });

  it('what is reported meanwhile is taken up when it is back; cancelling works meanwhile', async () => {
    const { host, handle, system, spec } = await setUp({
      playbook: [{ subjects: '**', retry: () => 'well' }],
    });
    system.exit(system.get(spec), 'kill');
    const kept = handle.report(coded('EPIPE'), { subject: 'kept' });
    const dropped = handle.report(coded('EPIPE'), { subject: 'dropped' });
    expect(handle.cancel(dropped.recovery as string)).toBe(true);
    expect(await host.runUntil(kept.done)).toMatchObject({ outcome: 'recovered', value: 'well' });
    expect(await dropped.done).toMatchObject({ outcome: 'cancelled' });
  });

  it('what the step of before the crash still does moves nothing, and is not taken for the doing of the one after', async () => {
    const one = held();
    const two = held();
    const { host, handle, crash } = await setUp({
      playbook: [
        {
          subjects: '**',
          remedy: remedies.named('both'),
          remedies: { both: { one: one.step, two: two.step } },
        },
      ],
    });
    const { done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    await crash();
    one.first()?.succeed('of before');
    await host.settle();
    expect(two.calls).toHaveLength(0);
    one.last()?.succeed('of after');
    await host.settle();
    await crash();
    expect(two.calls).toHaveLength(2);
    two.last()?.succeed('well');
    expect(await host.runUntil(done)).toMatchObject({ outcome: 'recovered', value: 'well' });
  });

  it('a recovery that was being cancelled is cancelled', async () => {
    const step = held();
    const { host, handle, crash } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    handle.cancel(id as string);
    await crash();
    expect(await done).toMatchObject({ outcome: 'cancelled', durationMs: 0 });
    expect(step.calls).toHaveLength(1);
  });
});

describe('on shutdown', () => {
  it('and a start after it, it works again', async () => {
    const { host, handle, system, root } = await setUp({
      playbook: [{ subjects: '**', retry: () => 'well' }],
    });
    await host.runUntil(system.get(root).terminateChild('recovery'));
    expect(await handle.handle(coded('EPIPE'), SUBJECT)).toMatchObject({ outcome: 'refused' });
    await host.runUntil(system.get(root).restartChild('recovery'));
    expect(await host.runUntil(handle.handle(coded('EPIPE'), SUBJECT))).toMatchObject({
      outcome: 'recovered',
    });
  });

  it('what runs is cancelled and may obey; all reports are answered; later ones are refused', async () => {
    const step = held();
    const { host, handle, system } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const running = handle.report(coded('EPIPE'), { subject: 'running' });
    await host.settle();
    const stopped = system.shutdown();
    await host.advance(10);
    expect(step.calls[0]?.signal.aborted).toBe(true);
    step.last()?.fail(new Error('stopped'));
    await host.runUntil(stopped);
    expect(await running.done).toMatchObject({ outcome: 'cancelled', durationMs: 10 });
    expect(await handle.handle(coded('EPIPE'), SUBJECT)).toMatchObject({
      outcome: 'refused',
      error: { code: 'ERR_STOPPING' },
    });
    expect(host.pendingTimers()).toEqual([]);
  });

  it('a step that ignores its signal holds it up for 100 ms', async () => {
    const step = held();
    const { host, handle, system } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const running = handle.report(coded('EPIPE'), { subject: 'running' });
    await host.settle();
    const before = host.monotonic();
    await host.runUntil(system.shutdown());
    expect(host.monotonic() - before).toBe(100);
    expect(await running.done).toMatchObject({ outcome: 'cancelled', abandoned: ['retry'] });
  });
});

/** Another process: a new system and host, the same journal. */
const nextProcess = async (journal: Journal, effects: string[]) => {
  const host = new SimulatedHost({ seed: 7 });
  const system = createSystem({ host });
  const spec = recovery('recovery', {
    journal,
    playbook: [
      {
        subjects: '**',
        remedy: remedies.named('rebuild'),
        remedies: {
          rebuild: { drop: ({ key }) => effects.push(key), load: ({ key }) => effects.push(key) },
        },
      },
    ],
  });
  const handle = await host.runUntil(system.start(spec));
  return { host, system, handle };
};

describe('a journal that outlives the process', () => {
  it('lets the next process finish what the last one began, within what was left of the budget', async () => {
    const journal = new MemoryJournal();
    const first = await nextProcess(journal, []);
    const opened: JournalEntry[] = [];
    const stuck: Journal = {
      append: (entry) => {
        opened.push(entry);
        return entry.kind === 'settled' ? new Promise<void>(() => undefined) : journal.append(entry);
      },
      unfinished: (path) => journal.unfinished(path),
    };
    const effects: string[] = [];
    const crashed = await nextProcess(stuck, effects);
    const { recovery: id } = crashed.handle.report(coded('EPIPE'), { subject: 'cache' });
    await crashed.host.advance(4_000);
    expect(effects).toEqual([`${id}/drop`]);
    const third = await nextProcess(journal, effects);
    await third.host.settle();
    expect(effects).toEqual([`${id}/drop`, `${id}/drop`, `${id}/load`]);
    expect(third.handle.status(id as string)).toMatchObject({ outcome: 'recovered', subject: 'cache' });
    expect(journal.unfinished('recovery')).toEqual([]);
    expect(first.handle.metrics().initiated).toBe(0);
  });

  it('ids of different processes differ', async () => {
    const journal = new MemoryJournal();
    const a = (await nextProcess(journal, [])).handle.report(1, { subject: 'x' }).recovery;
    const host = new SimulatedHost({ seed: 8 });
    const other = await host.runUntil(createSystem({ host }).start(recovery('recovery', { journal })));
    expect(other.report(1, { subject: 'x' }).recovery).not.toBe(a);
  });

  it('one that does not take an entry makes the step fail unbegun, and is counted', async () => {
    const broken: Journal = {
      append: () => Promise.reject(new Error('disk full')),
      unfinished: () => [],
    };
    const effects: string[] = [];
    const { host, handle } = await nextProcess(broken, effects);
    const outcome = await host.runUntil(handle.handle(coded('EPIPE'), SUBJECT));
    expect(outcome).toMatchObject({ outcome: 'gave_up', error: { cause: { message: 'disk full' } } });
    expect(effects).toEqual([]);
    expect(handle.metrics().journalFailures).toBe(1);
  });

  it('one that never answers is bounded by the budget like any step', async () => {
    const silent: Journal = { append: () => new Promise(() => undefined), unfinished: () => [] };
    const { host, handle } = await nextProcess(silent, []);
    expect(await host.runUntil(handle.handle(coded('EPIPE'), SUBJECT))).toMatchObject({
      outcome: 'gave_up',
      durationMs: 30_000,
      abandoned: ['drop'],
    });
    // It never began, so nothing of it goes on.
    expect(handle.inspect().stragglers).toEqual([]);
  });

  it('what it knows of a subject that is being recovered anew is left to that recovery', async () => {
    const old: JournalEntry[] = [];
    const ended: string[] = [];
    const journal: Journal = {
      append: (entry) => {
        if (entry.kind === 'ended') ended.push(entry.recovery);
      },
      unfinished: () => old,
    };
    const step = held();
    const { host, handle, crash } = await setUp({
      journal,
      playbook: [{ subjects: '**', retry: step.step }],
    });
    const { recovery: id, done } = handle.report(coded('EPIPE'), { subject: 'cache' });
    await host.settle();
    old.push({
      kind: 'opened',
      recovery: 'of-old',
      orchestrator: 'app/recovery',
      subject: 'cache',
      classification: classificationData(defaultClassifier.classify('timeout')),
      remainingMs: 9_000,
    });
    await crash();
    expect(ended).toEqual(['of-old']);
    expect(handle.inspect().active.map(({ recovery: active }) => active)).toEqual([id]);
    step.last()?.succeed();
    expect(await host.runUntil(done)).toMatchObject({ outcome: 'recovered' });
  });
});

describe('the memory journal', () => {
  const opened = (id: string): JournalEntry => ({
    kind: 'opened',
    recovery: id,
    orchestrator: 'r',
    subject: id,
    classification: {} as never,
    remainingMs: 1,
  });

  it('forgets what has ended, and the oldest beyond its limit', () => {
    const journal = new MemoryJournal(2);
    for (const id of ['a', 'b', 'c']) journal.append(opened(id));
    journal.append({ kind: 'ended', recovery: 'b', end: 'recovered' });
    journal.append({ kind: 'settled', recovery: 'a', step: 's', outcome: 'done', remainingMs: 1 });
    expect(journal.unfinished('r').map(({ recovery: id }) => id)).toEqual(['c']);
    expect(journal.unfinished('other')).toEqual([]);
  });
});
