import { describe, expect, it, vi } from 'vitest';
import { DEFERRED, type Request } from '../../src/kernel/logic.ts';
import { CALL_TIMEOUT_MS } from '../../src/kernel/place.ts';
import { createRig, gate, part, watch } from './rig.ts';

/** An actor that answers when told to, and shows the requests it was given. */
const answering = async () => {
  const rig = createRig();
  const requests: Request[] = [];
  const hold = gate<unknown>();
  const spec = part('callee', (context) => ({
    tell: (m) => {
      if (m === 'crash') throw new Error('boom');
      if (m === 'stop') context.stop();
    },
    call: (m, request) => {
      requests.push(request);
      if (m === 'hold') return hold.passed;
      if (m === 'later') return context.later();
      if (m === 'deferred') return DEFERRED;
      if (m === 'crash') throw new Error('boom');
      return m;
    },
  }));
  const handle = await rig.start(spec);
  return { ...rig, handle, requests, hold };
};

describe('a call', () => {
  it('resolves with what the handler returns or resolves to', async () => {
    const { host, handle, hold } = await answering();
    expect(await host.runUntil(handle.call('echo'))).toBe('echo');
    const held = watch(handle.call('hold'));
    hold.open('later');
    await host.settle();
    expect(held.now).toBe('later');
  });

  it('is answered through later() after its handler has returned, once', async () => {
    const { host, handle, requests } = await answering();
    const call = watch(handle.call('later'));
    await host.settle();
    expect(call.settled).toBe(false);
    requests[0]?.reply('first');
    requests[0]?.reply('second');
    requests[0]?.refuse(new Error('third'));
    await host.settle();
    expect(call.now).toBe('first');
  });

  it('is refused through later() without the death of the callee', async () => {
    const { host, handle, requests, ends } = await answering();
    const call = watch(handle.call('later'));
    await host.settle();
    requests[0]?.refuse(Object.assign(new Error('no'), { code: 'NO' }));
    await host.settle();
    expect(call.now).toBe('NO');
    expect(ends('callee')).toEqual([]);
  });

  it('times out after 5,000 ms unless told otherwise: unknown when it had been taken', async () => {
    const { host, handle } = await answering();
    const call = watch(handle.call('hold'));
    await host.advance(CALL_TIMEOUT_MS - 1);
    expect(call.settled).toBe(false);
    await host.advance(1);
    expect(CALL_TIMEOUT_MS).toBe(5_000);
    expect(call).toMatchObject({ now: 'ERR_CALL_TIMEOUT', outcome: 'unknown' });
  });

  it('that times out while it still waits in the queue was not started, and never is', async () => {
    const { host, handle, hold, requests } = await answering();
    void handle.call('hold', { timeoutMs: 1_000 }).catch(() => undefined);
    const queued = watch(handle.call('queued', { timeoutMs: 100 }));
    await host.advance(100);
    expect(queued).toMatchObject({ now: 'ERR_CALL_TIMEOUT', outcome: 'not_started' });
    hold.open(1);
    await host.settle();
    expect(requests).toHaveLength(1);
  });

  it('drops a reply that comes too late; it is no mail', async () => {
    const rig = createRig();
    const got: unknown[] = [];
    const late = gate<string>();
    const callee = part('callee', () => ({ call: () => late.passed }));
    const calling = part('caller', (context) => ({
      tell: async (m) => {
        if (m !== 'go') return void got.push(m);
        got.push(await context.call(callee_(), 'x', { timeoutMs: 10 }).catch((e) => e.code));
      },
      info: (info) => void got.push(info),
    }));
    const callee_ = () => rig.system.get(callee);
    await rig.start(callee);
    const caller = await rig.start(calling);
    caller.tell('go');
    await rig.host.advance(10);
    late.open('too late');
    await rig.host.advance(10);
    expect(got).toEqual(['ERR_CALL_TIMEOUT']);
    expect(rig.system.counters.deadLetters).toBe(0);
  });

  it("tells the callee through the request's signal that its caller gave up", async () => {
    const { host, handle, requests } = await answering();
    const controller = new AbortController();
    const aborted = watch(handle.call('later', { signal: controller.signal }));
    const timedOut = watch(handle.call('later', { timeoutMs: 50 }));
    await host.settle();
    const signals = requests.map((request) => request.signal);
    expect(signals.map((s) => s.aborted)).toEqual([false, false]);
    controller.abort('enough');
    await host.settle();
    expect(aborted).toMatchObject({ now: 'ERR_CALL_ABORTED', outcome: 'unknown' });
    expect((aborted.error as Error).cause).toBe('enough');
    await host.advance(50);
    expect(timedOut.now).toBe('ERR_CALL_TIMEOUT');
    expect(signals.map((s) => s.aborted)).toEqual([true, true]);
    expect(requests.map((r) => r.open)).toEqual([false, false]);
  });

  it('with a signal that has fired is not started', async () => {
    const { host, handle, requests } = await answering();
    const call = watch(handle.call('echo', { signal: AbortSignal.abort() }));
    await host.settle();
    expect(call).toMatchObject({ now: 'ERR_CALL_ABORTED', outcome: 'not_started' });
    expect(requests).toHaveLength(0);
  });

  it('that is aborted in the queue was not started', async () => {
    const { host, handle, hold, requests } = await answering();
    const controller = new AbortController();
    void handle.call('hold').catch(() => undefined);
    const queued = watch(handle.call('queued', { signal: controller.signal }));
    await host.settle();
    controller.abort();
    hold.open(1);
    await host.settle();
    expect(queued).toMatchObject({ now: 'ERR_CALL_ABORTED', outcome: 'not_started' });
    expect(requests).toHaveLength(1);
  });

  it('leaves no timer and no listener behind once it is settled', async () => {
    const { host, handle } = await answering();
    const controller = new AbortController();
    const { signal } = controller;
    const listening = vi.spyOn(signal, 'addEventListener');
    const letGo = vi.spyOn(signal, 'removeEventListener');
    await host.runUntil(handle.call('echo', { signal }));
    expect(host.pendingTimers()).toEqual([]);
    expect(listening).toHaveBeenCalledTimes(1);
    expect(letGo).toHaveBeenCalledWith('abort', listening.mock.calls[0]?.[1]);
  });

  it('whose callee ends in its handler is unknown; one that waited behind it was not started', async () => {
    const { host, handle } = await answering();
    const crashed = watch(handle.call('crash'));
    const behind = watch(handle.call('behind'));
    await host.settle();
    expect(crashed).toMatchObject({ now: 'ERR_CALLEE_ENDED', outcome: 'unknown' });
    expect((crashed.error as Error).cause).toMatchObject({ message: 'boom' });
    expect(behind).toMatchObject({ outcome: 'not_started' });
  });

  it('that was deferred in whatever way is settled by the end of its callee', async () => {
    const { host, handle, system } = await answering();
    const deferred = [
      watch(handle.call('later', { timeoutMs: Number.POSITIVE_INFINITY })),
      watch(handle.call('deferred', { timeoutMs: Number.POSITIVE_INFINITY })),
    ];
    await host.settle();
    system.exit(handle, 'kill');
    await host.settle();
    for (const call of deferred) expect(call).toMatchObject({ now: 'ERR_CALLEE_ENDED', outcome: 'unknown' });
  });

  it('to nobody is refused at once', async () => {
    const { host, handle, system } = await answering();
    const ref = handle.ref();
    handle.tell('stop');
    await host.settle();
    const calls = [
      watch(handle.call('x')),
      watch(system.call('nobody', 'x')),
      watch(system.call(ref ?? 'none', 'x')),
    ];
    await host.settle();
    for (const call of calls) expect(call).toMatchObject({ now: 'ERR_NOPROC', outcome: 'not_started' });
  });

  it('refuses options that it does not know', async () => {
    const { handle } = await answering();
    expect(() => handle.call('x', { timeout: 5 } as never)).toThrow(/did you mean timeoutMs/);
    expect(() => handle.call('x', { timeoutMs: -1 })).toThrow(/timeoutMs/);
  });

  it('forgets a request that was deferred after its caller had given up', async () => {
    const rig = createRig();
    const hold = gate();
    const spec = part('callee', (context) => ({
      call: async () => {
        await hold.passed;
        return context.later();
      },
    }));
    const handle = await rig.start(spec);
    const call = watch(handle.call('x', { timeoutMs: 10 }));
    await rig.host.advance(10);
    hold.open();
    await rig.host.settle();
    expect(call.now).toBe('ERR_CALL_TIMEOUT');
    await rig.host.runUntil(rig.system.shutdown());
    expect(rig.system.counters).toMatchObject({ started: 1, ended: 1, stragglers: 0 });
  });
});

describe('a call made by an actor', () => {
  it('inherits the deadline of the call that it serves, and never outlives it', async () => {
    const rig = createRig();
    const seen: number[] = [];
    const inner = part('inner', (context) => ({
      call: () => {
        seen.push(context.deadline);
        return new Promise(() => undefined);
      },
    }));
    const outer = part('outer', (context) => ({
      call: () => context.call(rig.system.get(inner), 'x', { timeoutMs: 60_000 }),
    }));
    await rig.start(inner);
    const handle = await rig.start(outer);
    const call = watch(handle.call('x', { timeoutMs: 200 }));
    await rig.host.advance(199);
    expect(call.settled).toBe(false);
    expect(seen).toEqual([200]);
    await rig.host.advance(1);
    expect(call.now).toMatch(/ERR_CALL_TIMEOUT|ERR_CALLEE_ENDED/);
    expect(rig.host.pendingTimers()).toEqual([]);
  });

  it('hands on the trace of what it serves', async () => {
    const rig = createRig();
    const traces: unknown[] = [];
    const last = part('last', (context) => ({ tell: () => void traces.push(context.trace) }));
    const middle = part('middle', (context) => ({
      call: () => {
        traces.push(context.trace);
        context.tell(rig.system.get(last), 'x');
      },
    }));
    const first = part('first', (context) => ({
      call: () => context.call(rig.system.get(middle), 'x'),
    }));
    await rig.start(last);
    await rig.start(middle);
    const handle = await rig.start(first);
    await rig.host.runUntil(handle.call('x', { trace: 'trace-1' }));
    await rig.host.settle();
    expect(traces).toEqual(['trace-1', 'trace-1']);
  });

  it("settles with the truth when the caller itself ends, and the callee's signal aborts", async () => {
    const { host, handle, requests, system, start } = await answering();
    const seen: ReturnType<typeof watch>[] = [];
    const caller = await start(
      part('caller', (context) => ({
        tell: async () => {
          seen.push(watch(context.call(handle, 'hold')), watch(context.call(handle, 'queued')));
          await new Promise(() => undefined);
        },
      })),
    );
    caller.tell('go');
    await host.settle();
    const aborted = requests[0]?.signal;
    system.exit(caller, 'kill');
    await host.settle();
    expect(aborted?.aborted).toBe(true);
    expect(seen.map(({ now, outcome }) => [now, outcome])).toEqual([
      ['ERR_FENCED', 'unknown'],
      ['ERR_FENCED', 'not_started'],
    ]);
  });
});
