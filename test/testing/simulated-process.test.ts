import { expect, test } from 'vitest';
import type { ProcessListeners } from '../../src/base/host.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type ProcessScript, SimulatedProcess } from '../../src/testing/simulated-process.ts';

const spec = { command: 'worker', args: [], env: {} };

const setUp = (script: ProcessScript = {}, choices: number[] = []) => {
  const host = new SimulatedHost({ choices });
  const told: string[] = [];
  const listeners: ProcessListeners = {
    stdout: (chunk) => told.push(`out ${Buffer.from(chunk)}`),
    stderr: (chunk, descriptor) => told.push(`err${descriptor ?? ''} ${Buffer.from(chunk)}`),
    ended: ({ code, signal, error }) => told.push(`ended ${error?.message ?? signal ?? code}`),
    drained: () => told.push('drained'),
  };
  let process: SimulatedProcess | undefined;
  host.onSpawn = (_spec, given) => {
    process = new SimulatedProcess(host, given, script);
    return process;
  };
  const port = host.spawn(spec, listeners);
  return { host, port, told, process: process as SimulatedProcess };
};

test('what it prints arrives in order, its end behind the last byte, and nothing after that', async () => {
  const { host, told, process } = setUp({}, [3, 1, 4, 1, 5, 9, 2, 6]);
  process.emitStdout('a');
  process.emitStderr('b', 1);
  process.exit(3);
  process.emitStdout('too late');
  expect(told).toEqual([]);
  await host.settle();
  expect(told).toEqual(['out a', 'err1 b', 'ended 3']);
  expect(process.end).toEqual({ code: 3, signal: null });
});

test('a script answers what is written to it', async () => {
  const { host, port, told, process } = setUp({
    onInput: (bytes, self) => self.emitStdout(`echo ${Buffer.from(bytes)}`),
  });
  expect(port.write(Buffer.from('hello'))).toBe(true);
  await host.settle();
  expect(told).toEqual(['out echo hello']);
  expect(process.input).toBe('hello');
});

test('without a script it exits 0 when its input ends, and dies of SIGTERM', async () => {
  const first = setUp();
  first.port.endInput();
  await first.host.settle();
  expect(first.told).toEqual(['ended 0']);
  const second = setUp();
  expect(second.port.kill('SIGTERM', true)).toBe(true);
  await second.host.settle();
  expect(second.told).toEqual(['ended SIGTERM']);
  expect(second.process.signals).toEqual([{ signal: 'SIGTERM', group: true }]);
});

test('stopped, it does nothing until continued, and only SIGKILL ends it', async () => {
  const { host, port, told, process } = setUp({ onInput: (_bytes, self) => self.emitStdout('pong') });
  port.kill('SIGSTOP');
  port.write(Buffer.from('ping'));
  port.kill('SIGTERM');
  await host.settle();
  expect(told).toEqual([]);
  expect(process.stopped).toBe(true);
  port.kill('SIGCONT');
  await host.settle();
  expect(told).toEqual(['out pong', 'ended SIGTERM']);
  const other = setUp();
  other.port.kill('SIGSTOP');
  other.port.kill('SIGKILL');
  await other.host.settle();
  expect(other.told).toEqual(['ended SIGKILL']);
});

test('a signal it catches is its own business', async () => {
  const { host, port, told } = setUp({ onSignal: (signal, self) => self.exit(signal === 'SIGTERM' ? 9 : 1) });
  port.kill('SIGTERM');
  await host.settle();
  expect(told).toEqual(['ended 9']);
});

test('a full pipe refuses further writes until it has drained', async () => {
  const { host, port, told, process } = setUp();
  process.fillPipe();
  expect(port.write(Buffer.from('abc'))).toBe(false);
  expect(port.bufferedBytes).toBe(3);
  process.drainPipe();
  await host.settle();
  expect([told, port.bufferedBytes]).toEqual([['drained'], 0]);
});

test('a spawn that fails has no pid and ends with its error', async () => {
  const { host, port, told } = setUp({ fails: new Error('no such file') });
  expect(port.pid).toBe(undefined);
  expect([port.write(Buffer.from('x')), port.kill('SIGKILL')]).toEqual([false, false]);
  await host.settle();
  expect(told).toEqual(['ended no such file']);
});

test('with no script for spawning, every spawn fails as if the command were missing', async () => {
  const host = new SimulatedHost();
  const ended: unknown[] = [];
  host.spawn(spec, { stdout() {}, stderr() {}, ended: ({ error }) => ended.push(error) });
  await host.settle();
  expect(ended).toMatchObject([{ code: 'ENOENT' }]);
});

test('after its end every method does nothing', async () => {
  const { host, port, process } = setUp();
  process.die();
  await host.settle();
  port.endInput();
  expect([port.kill('SIGKILL'), port.write(Buffer.from('x')), port.bufferedBytes]).toEqual([false, false, 0]);
  await host.settle();
  expect(process.end).toEqual({ code: null, signal: 'SIGKILL' });
});
