import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ChildPort, ProcessEnd, ProcessSpec } from '../../src/base/host.ts';
import { createRealHost } from '../../src/base/real-host.ts';

const host = createRealHost();
const { PATH = '' } = process.env;

interface Run {
  readonly port: ChildPort;
  readonly told: { stdout: string; stderr: string; ended: ProcessEnd[]; drained: number };
  readonly ended: Promise<ProcessEnd>;
  /** Resolves when its stdout holds a text. */
  printed(text: string): Promise<void>;
}

const start = (spec: Partial<ProcessSpec> & { readonly command: string }): Run => {
  const told = { stdout: '', stderr: '', ended: [] as ProcessEnd[], drained: 0 };
  let check = () => {};
  let settle: (end: ProcessEnd) => void = () => {};
  const ended = new Promise<ProcessEnd>((resolve) => {
    settle = resolve;
  });
  const port = host.spawn(
    { args: [], env: { PATH }, ...spec },
    {
      stdout: (chunk) => {
        told.stdout += Buffer.from(chunk).toString('latin1');
        check();
      },
      stderr: (chunk, descriptor) => {
        told.stderr += `${descriptor}:${Buffer.from(chunk).toString('latin1')}`;
      },
      ended: (end) => {
        told.ended.push(end);
        settle(end);
      },
      drained: () => {
        told.drained += 1;
        check();
      },
    },
  );
  const printed = (text: string) =>
    new Promise<void>((resolve) => {
      check = () => {
        if (told.stdout.includes(text)) resolve();
      };
      check();
    });
  return { port, told, ended, printed };
};

const sh = (script: string, spec: Partial<ProcessSpec> = {}) =>
  start({ command: 'sh', args: ['-c', script], ...spec });

/** Whether a process exists and is no zombie. */
const isAlive = (pid: number): boolean => {
  const state = spawnSync('sh', ['-c', `sed 's/.*) //' /proc/${pid}/stat 2>/dev/null | cut -c1`]);
  return /^[^ZX\s]/.test(state.stdout.toString());
};

describe('the end', () => {
  test('comes with the exit code, once, after the last byte of both outputs', async () => {
    const { ended, told } = sh('echo out; echo err >&2; exit 7');
    expect(await ended).toEqual({ code: 7, signal: null });
    expect(told).toEqual({
      stdout: 'out\n',
      stderr: '2:err\n',
      ended: [{ code: 7, signal: null }],
      drained: 0,
    });
  });

  test('comes with the signal', async () => {
    const { ended, port } = sh('sleep 60');
    expect(port.kill('SIGTERM')).toBe(true);
    expect(await ended).toEqual({ code: null, signal: 'SIGTERM' });
    expect(port.kill('SIGKILL')).toBe(false);
  });

  test('comes with an error and no pid where the command is missing, and not before spawn has returned', async () => {
    const { ended, port, told } = start({ command: '/nowhere/at/all' });
    expect(port.pid).toBe(undefined);
    expect(told.ended).toEqual([]);
    expect([port.write(Buffer.from('x')), port.kill('SIGKILL'), port.bufferedBytes]).toEqual([
      false,
      false,
      0,
    ]);
    port.endInput();
    expect((await ended).error).toMatchObject({ code: 'ENOENT' });
    expect(told.ended.length).toBe(1);
  });

  test('comes with an error where no OS could take the arguments, or the folder is missing', async () => {
    expect((await start({ command: 'a\0b' }).ended).error).toBeInstanceOf(Error);
    expect((await sh('true', { cwd: '/nowhere/at/all' }).ended).error).toMatchObject({ code: 'ENOENT' });
  });

  test('is the end of what it started as well, where it leads a group, however it ended', async () => {
    for (const last of ['exit 0', 'exit 3', 'kill -9 $$']) {
      const { ended, told } = sh(`sleep 60 & echo $!; ${last}`);
      await ended;
      expect(isAlive(Number(told.stdout))).toBe(false);
    }
  });

  test('leaves alone what has left the group', async () => {
    const { ended, port, printed, told } = sh("setsid sh -c 'echo $$ left; exec sleep 60' & read line");
    await printed('left');
    port.endInput();
    await ended;
    const grandchild = Number.parseInt(told.stdout, 10);
    expect(isAlive(grandchild)).toBe(true);
    process.kill(grandchild, 'SIGKILL');
  });

  test('tells how much memory it holds, while it lives', async () => {
    const { ended, port, printed } = start({ command: 'cat' });
    port.write(Buffer.from('there'));
    await printed('there');
    const measured = () => new Promise<number | undefined>((told) => port.measure?.(told));
    expect(await measured()).toBeGreaterThan(100_000);
    port.endInput();
    await ended;
    expect(await measured()).toBeUndefined();
  });

  test('does not wait for a grandchild that holds the outputs open', async () => {
    const begin = performance.now();
    const { ended, told } = sh('sleep 30 & echo $!; exit 0', { ownGroup: false });
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(isAlive(Number(told.stdout))).toBe(true);
    process.kill(Number(told.stdout), 'SIGKILL');
  });

  test('leaves no descriptor open', async () => {
    const count = () => readdirSync('/proc/self/fd').length;
    await sh('true').ended;
    const before = count();
    await Promise.all(Array.from({ length: 20 }, () => sh('cat >/dev/null & echo x').ended));
    await new Promise((resolve) => setImmediate(resolve));
    expect(count()).toBeLessThanOrEqual(before + 1);
  });

  test('a megabyte printed just before the exit arrives whole', async () => {
    const { ended, told } = sh('head -c 1000000 /dev/zero; exit 0');
    await ended;
    expect(told.stdout.length).toBe(1_000_000);
  });
});

describe('input', () => {
  test('is read by the process, and its end too', async () => {
    const { ended, port, told } = start({ command: 'cat' });
    port.write(Buffer.from('hello'));
    port.endInput();
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(told.stdout).toBe('hello');
    expect(port.write(Buffer.from('x'))).toBe(false);
  });

  test('written to a process that no longer reads breaks nothing', async () => {
    const { ended, port, printed } = sh('exec 0<&-; echo closed; read never <&1; sleep 60');
    await printed('closed');
    for (let i = 0; i < 50; i++) port.write(Buffer.alloc(100_000));
    await new Promise((resolve) => setImmediate(resolve));
    port.kill('SIGKILL', true);
    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('beyond what the pipe takes is counted, and drained is told once it has flowed off', async () => {
    const { ended, port, told } = sh('read go; cat | wc -c');
    const megabyte = Buffer.alloc(1_000_000);
    expect(port.write(megabyte)).toBe(false);
    expect(port.bufferedBytes).toBeGreaterThan(0);
    port.write(Buffer.from('\n'));
    port.endInput();
    await ended;
    expect(port.bufferedBytes).toBe(0);
    expect(told.stdout.trim()).toBe('0');
    const open = start({ command: 'cat' });
    open.port.write(megabyte);
    open.port.write(Buffer.from('end'));
    await open.printed('end');
    await new Promise((resolve) => setImmediate(resolve));
    expect(open.told.drained).toBeGreaterThan(0);
    open.port.kill('SIGKILL');
    await open.ended;
  });
});

describe('signals', () => {
  test('to the group reach what the process started', async () => {
    const { ended, port, printed, told } = sh('sleep 60 & echo $! started; wait');
    await printed('started');
    expect(port.kill('SIGKILL', true)).toBe(true);
    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' });
    expect(isAlive(Number.parseInt(told.stdout, 10))).toBe(false);
  });

  test('to the process alone leave what it started, where it leads no group', async () => {
    const { ended, port, printed, told } = sh('sleep 60 & echo $! started; wait', { ownGroup: false });
    await printed('started');
    port.kill('SIGKILL');
    await ended;
    const grandchild = Number.parseInt(told.stdout, 10);
    expect(isAlive(grandchild)).toBe(true);
    process.kill(grandchild, 'SIGKILL');
  });

  test('SIGKILL ends a stopped process', async () => {
    const { ended, port, printed } = sh('echo up; sleep 60');
    await printed('up');
    port.kill('SIGSTOP', true);
    port.kill('SIGKILL', true);
    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' });
  });
});

describe('surroundings', () => {
  test('nothing is inherited unasked', async () => {
    const { ended, told } = start({ command: '/usr/bin/env', env: { ONLY: 'this' } });
    await ended;
    expect(told.stdout).toBe('ONLY=this\n');
  });

  test('on descriptors of its own, what it prints cannot corrupt the conversation', async () => {
    const { ended, port, told } = sh(
      'echo one; echo two >&2; read line <&3; echo "got $line" >&4; read line <&3; exit 5',
      {
        protocolFds: true,
      },
    );
    port.write(Buffer.from('question\n'));
    port.endInput();
    expect(await ended).toEqual({ code: 5, signal: null });
    expect(told.stdout).toBe('got question\n');
    expect(told.stderr).toContain('1:one\n');
    expect(told.stderr).toContain('2:two\n');
  });

  test('the lifeline on fd 0 stays open and silent when the conversation ends', async () => {
    const { ended, port, printed, told } = sh('read line <&3; echo ended >&4; read line; echo over >&4', {
      protocolFds: true,
    });
    port.endInput();
    await printed('ended');
    // A shell that found its input ended would print and exit within these turns of the loop.
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toMatchObject({ stdout: 'ended\n', ended: [] });
    port.kill('SIGKILL', true);
    await ended;
  });
});
