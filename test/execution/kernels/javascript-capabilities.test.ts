import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, RUNNING, running, start } from './javascript-stage.ts';

describe('a script', () => {
  it('runs as in Node: with arguments, until nothing keeps it alive', async () => {
    const kernel = await start();
    const filename = join(folder, 'script.js');
    const code =
      'const wait = 5; setTimeout(() => console.log(process.argv[2], __filename, require.main === module), wait); await 1';
    const job = kernel.begin(code, { kind: 'script', filename, argv: ['given'] });
    expect(await kernel.worker.answer(job)).toMatchObject({ exitCode: 0, hasValue: false });
    expect(kernel.printed(job)).toBe(`given ${filename} true\n`);
  });

  it('ends by process.exit with its code, at once or from behind', async () => {
    const kernel = await start();
    expect(
      await kernel.run('try { process.exit(3) } catch {} console.log("never")', { kind: 'script' }),
    ).toMatchObject({ exitCode: 3 });
    const later = 'setTimeout(() => process.exit(4), 1); await new Promise(() => {})';
    expect(await kernel.run(later, { kind: 'script' })).toMatchObject({ exitCode: 4 });
    expect(await kernel.run('setInterval(() => process.exit(5), 1)', { kind: 'script' })).toMatchObject({
      exitCode: 5,
    });
    const other = await start();
    const server = other.begin(`setInterval(() => {}, 1000); ${RUNNING}`, { kind: 'script' });
    await running(other, server);
    other.worker.port.cancel(server, 'enough');
    expect(await other.worker.answer(server)).toBe('cancelled');
  });
});

describe('capabilities', () => {
  const policy = (level: string, more = {}) => ({ capabilities: { level, ...more } });

  it('are not there where the level does not have them', async () => {
    const kernel = await start(policy('sandbox'));
    expect(await kernel.value('[typeof process, typeof fetch, typeof require("path").join]')).toEqual([
      'undefined',
      'function',
      'function',
    ]);
    for (const code of [
      'readFile("x")',
      'input("?")',
      'fetch("http://localhost")',
      'require("fs")',
      'await import("node:fs")',
    ]) {
      const job = kernel.begin(code);
      expect(await kernel.worker.answer(job)).toMatchObject({ type: 'CapabilityDenied' });
      expect(kernel.chunks(job, 'audit')).toEqual([expect.objectContaining({ allowed: false })]);
    }
    const job = kernel.begin('display({ "text/html": "<b>" }); print("hi")');
    await kernel.worker.answer(job);
    expect(kernel.chunks(job).map(({ kind }) => kind)).toEqual(['display', 'output']);
  });

  it('blocked beats unrestricted, which beats allowed', async () => {
    const kernel = await start(policy('unrestricted', { block: ['fetch'], allow: ['fetch'] }));
    expect(await kernel.run('fetch("http://localhost")')).toMatchObject({ type: 'CapabilityDenied' });
    const allowed = await start(policy('sandbox', { allow: ['time'] }));
    expect(await allowed.value('typeof time()')).toBe('number');
  });

  it('read and write below their roots only, wherever links lead', async () => {
    const root = join(folder, 'root');
    mkdirSync(root);
    writeFileSync(join(root, 'in.txt'), 'inside');
    writeFileSync(join(folder, 'out.txt'), 'outside');
    symlinkSync(join(folder, 'out.txt'), join(root, 'link.txt'));
    symlinkSync(folder, join(root, 'up'));
    const roots = [{ path: root, write: true }];
    const kernel = await start(policy('standard', { roots, readMaxBytes: 6 }));
    expect(await kernel.value('await readFile("root/in.txt")')).toBe('inside');
    for (const code of [
      'readFile("root/link.txt")',
      'readFile("out.txt")',
      'writeFile("root/link.txt", "x")',
      'writeFile("root/up/new.txt", "x")',
    ])
      expect(await kernel.run(`await ${code}`)).toMatchObject({ type: 'CapabilityDenied' });
    expect(readFileSync(join(folder, 'out.txt'), 'utf8')).toBe('outside');
    await kernel.run('await writeFile("root/made.txt", "made more")');
    expect(readFileSync(join(root, 'made.txt'), 'utf8')).toBe('made more');
    expect(await kernel.run('await readFile("root/made.txt")')).toMatchObject({ type: 'RangeError' });
    expect(await kernel.run('await fetch("http://127.0.0.1:9/")')).toMatchObject({
      type: 'CapabilityDenied',
    });
  });

  it('fetch from given hosts only, wherever they redirect to', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/away') response.writeHead(302, { location: 'http://localhost:9/secret' });
      else if (request.url === '/on') response.writeHead(302, { location: '/there' });
      response.end(`${request.method} ${request.url}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const kernel = await start(policy('standard', { hosts: [at] }));
      const text = (path: string, more = '') => `await (await fetch("http://${at}${path}"${more})).text()`;
      expect(await kernel.value(text('/on'))).toBe('GET /there');
      expect(await kernel.value(text('/', ', { method: "POST", body: "x" }'))).toBe('POST /');
      const job = kernel.begin(text('/away'));
      expect(await kernel.worker.answer(job)).toMatchObject({ type: 'CapabilityDenied' });
      expect(kernel.chunks(job, 'audit').map(({ allowed }) => allowed)).toEqual([true, false]);
      expect(await kernel.run('await fetch("file:///etc/passwd")')).toMatchObject({
        type: 'CapabilityDenied',
      });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('ask the service, which answers or fails', async () => {
    const kernel = await start(policy('trusted'));
    const job = kernel.begin(
      'const got = await store("key", 1); try { await approve("x") } catch (e) { [got, e.name, e.message] }',
    );
    const asked = await kernel.chunk(job, ({ kind }) => kind === 'request');
    expect(asked).toMatchObject({ capability: 'store', args: ['key', 1] });
    expect(await kernel.job('respond', { execution: 'e', request: asked.request, value: { ok: 1 } })).toBe(
      true,
    );
    const second = await kernel.chunk(
      job,
      ({ kind, capability }) => kind === 'request' && capability === 'approve',
    );
    const error = { type: 'Refused', message: 'not today' };
    expect(await kernel.job('respond', { execution: 'e', request: second.request, error })).toBe(true);
    await kernel.worker.answer(job);
    expect(await kernel.job('respond', { execution: 'e', request: second.request, value: 1 })).toBe(false);
  });
});

describe('limits', () => {
  it.skipIf(process.platform !== 'linux')(
    'of open files and processor time are set for the process',
    async () => {
      const kernel = await start({ limits: { openFiles: 60, cpuS: 1 } });
      expect(
        await kernel.run('const held = []; for (;;) held.push(require("fs").openSync("/dev/null"))'),
      ).toMatchObject({
        message: expect.stringContaining('EMFILE'),
      });
      kernel.begin('for (;;);');
      expect((await kernel.worker.end()).signal).toMatch(/SIGXCPU|SIGKILL/);
    },
  );
});
