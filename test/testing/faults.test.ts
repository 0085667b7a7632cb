/** The faults of processes, transports and timers, one by one, as a plan asks for them. */
import { describe, expect, it } from 'vitest';
import type { Channel, Fault, ProcessEnd } from '../../src/base/host.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type ProcessScript, SimulatedProcess } from '../../src/testing/simulated-process.ts';

/** Has each fault once, at the first visit of its point. */
const once = (point: string, fault: Fault) => {
  let left = 1;
  return (asked: string): Fault | undefined => (asked === point && left-- > 0 ? fault : undefined);
};

const channelUnder = async (fault: Fault) => {
  const host = new SimulatedHost();
  const heard: string[] = [];
  let closed = 0;
  const listen = host.transport.listen('here', () => ({
    data: (chunk) => heard.push(Buffer.from(chunk).toString()),
    closed: () => {
      closed += 1;
    },
  }));
  await host.runUntil(listen);
  const near: Channel = await host.runUntil(
    host.transport.connect('here', { data: () => undefined, closed: () => undefined }),
  );
  host.faults = once('transport.data', fault);
  const write = (text: string) => near.write(Buffer.from(text));
  return { host, near, heard, write, closed: () => closed };
};

describe('a channel', () => {
  it.each([
    ['loss', ['b']],
    ['duplication', ['a', 'a', 'b']],
    ['cut', []],
    ['half_open', []],
  ])('under %s brings %j of a, b', async (kind, wanted) => {
    const { host, heard, write, near, closed } = await channelUnder({ kind });
    write('a');
    write('b');
    await host.settle();
    expect(heard).toEqual(wanted);
    near.close();
    await host.settle();
    expect(closed()).toBe(kind === 'half_open' ? 0 : 1);
  });

  it('under delay holds back what comes after as well, and its end', async () => {
    const { host, heard, write, near, closed } = await channelUnder({ kind: 'delay', value: 30 });
    write('a');
    write('b');
    near.close();
    await host.advance(29);
    expect([heard, closed()]).toEqual([[], 0]);
    await host.advance(1);
    expect([heard, closed()]).toEqual([['a', 'b'], 1]);
  });

  it('may not come about', async () => {
    const host = new SimulatedHost();
    host.faults = { 'transport.connect': { kind: 'refused' } };
    await host.runUntil(
      host.transport.listen('here', () => ({ data: () => undefined, closed: () => undefined })),
    );
    const connected = host.transport.connect('here', { data: () => undefined, closed: () => undefined });
    await expect(host.runUntil(connected)).rejects.toMatchObject({ code: 'ERR_HOST_TRANSPORT' });
  });
});

const processUnder = (point: string, fault: Fault, script: ProcessScript = {}) => {
  const host = new SimulatedHost();
  host.faults = once(point, fault);
  const printed: string[] = [];
  const ends: ProcessEnd[] = [];
  host.onSpawn = (_spec, listeners) => new SimulatedProcess(host, listeners, script);
  const port = host.spawn(
    { command: 'worker', args: [], env: {} },
    {
      stdout: (chunk) => printed.push(Buffer.from(chunk).toString('latin1')),
      stderr: () => undefined,
      ended: (end) => ends.push(end),
    },
  ) as SimulatedProcess;
  return { host, port, printed, ends };
};

describe('a process', () => {
  it('may not be started', async () => {
    const { host, port, ends } = processUnder('process.spawn', { kind: 'ENOENT' });
    await host.settle();
    expect(port.pid).toBeUndefined();
    expect(ends).toMatchObject([{ code: null, error: { code: 'ENOENT' } }]);
  });

  it('may exit before it says anything, or never say anything', async () => {
    const early = processUnder('process.start', { kind: 'early_exit' });
    const hung = processUnder('process.start', { kind: 'hang' });
    hung.port.emitStdout('hello');
    await early.host.settle();
    await hung.host.settle();
    expect(early.ends).toMatchObject([{ code: 1 }]);
    expect([hung.printed, hung.ends]).toEqual([[], []]);
    hung.port.kill('SIGKILL');
    await hung.host.settle();
    expect(hung.ends).toMatchObject([{ signal: 'SIGKILL' }]);
  });

  it.each([
    ['exit_mid_frame', ['abc'], 1],
    ['garbage', ['Warning: this is no frame\n'], 0],
    ['oversize_frame', ['\x7f\xff\xff\xff'], 0],
    ['hang', ['abcdef'], 0],
  ])('may print %s', async (kind, wanted, ended) => {
    const { host, port, printed, ends } = processUnder('process.output', { kind });
    port.emitStdout('abcdef');
    await host.settle();
    expect(printed).toEqual(wanted);
    expect(ends).toHaveLength(ended);
  });

  it('may ignore SIGTERM, and lose what it printed when it exits', async () => {
    const deaf = processUnder('process.signal', { kind: 'ignored' });
    deaf.port.kill('SIGTERM');
    await deaf.host.settle();
    expect(deaf.ends).toEqual([]);
    const lost = processUnder('process.exit', { kind: 'stdout_lost' });
    lost.port.emitStdout('gone');
    lost.port.exit(0);
    await lost.host.settle();
    expect([lost.printed, lost.ends]).toEqual([[], [{ code: 0, signal: null }]]);
  });
});

describe('a timer', () => {
  it('may be late, never early', async () => {
    const host = new SimulatedHost();
    host.faults = { 'timer.late': { kind: 'late', value: 5 } };
    let fired = false;
    host.timer(10, 'alarm', () => {
      fired = true;
    });
    await host.advance(14);
    expect(fired).toBe(false);
    await host.advance(1);
    expect(fired).toBe(true);
  });
});
