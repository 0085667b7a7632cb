import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createExplorerHandler, type ExplorerHandle, explorer } from '../../src/explorer/index.ts';
import { actor, createSystem, type System, server, type TroupeEvent } from '../../src/index.ts';
import { ask, Page } from './served.ts';

const TOKEN = 'a-token-that-nobody-will-guess';
const JSON_TYPE = { 'content-type': 'application/json' };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('an explorer with a token and commands', () => {
  let system: System;
  let handle: ExplorerHandle;
  let address: string;
  let origin: string;
  const events: TroupeEvent[] = [];

  beforeAll(async () => {
    system = createSystem();
    system.events.listen((event) => events.push(event));
    handle = await system.start(explorer({ token: TOKEN, commands: true, allowedHosts: ['box.test:4100'] }));
    address = handle.address as string;
    origin = new URL(address).origin;
    await system.start(actor('till', server({ init: () => ({}) })));
  });
  afterAll(() => system.shutdown());

  const own = { 'sec-fetch-site': 'same-origin' };
  const command = (headers: Record<string, string>, body = '{"do":"pause","path":"till"}') =>
    ask(address, 'api/v1/command', { method: 'POST', headers, body });

  it.each([
    ['no token', own, 401],
    ['a wrong token', { ...own, ...bearer('wrong-wrong-wrong-wrong') }, 401],
    ['a token that begins right', { ...own, ...bearer(TOKEN.slice(0, -1)) }, 401],
    ['a token that goes on', { ...own, ...bearer(`${TOKEN}x`) }, 401],
    ['the right token', { ...own, ...bearer(TOKEN) }, 200],
    ['the right token and no fetch metadata', bearer(TOKEN), 200],
    ['a foreign Origin', { ...bearer(TOKEN), origin: 'http://evil.test' }, 403],
    ['a null Origin', { ...bearer(TOKEN), origin: 'null' }, 403],
    ['its own Origin', { ...bearer(TOKEN), origin: 'self' }, 200],
    ['a cross-site fetch', { ...bearer(TOKEN), 'sec-fetch-site': 'cross-site' }, 403],
    ['a rebinding Host', { ...own, ...bearer(TOKEN), host: 'evil.test' }, 403],
    ['a rebinding Host on our port', { ...own, ...bearer(TOKEN), host: 'evil.test:4100' }, 403],
    ['a Host that only looks local', { ...own, ...bearer(TOKEN), host: 'localhost.evil.test' }, 403],
    ['an allowed Host', { ...own, ...bearer(TOKEN), host: 'box.test:4100' }, 200],
    ['an allowed Host on another port', { ...own, ...bearer(TOKEN), host: 'box.test:81' }, 403],
    ['a loopback Host on any port', { ...own, ...bearer(TOKEN), host: 'localhost:9999' }, 200],
  ])('GET with %s', async (_, headers, status) => {
    const sent = headers as Record<string, string>;
    const real = sent['origin'] === 'self' ? { ...sent, origin } : sent;
    for (const path of ['api/v1/hello', 'api/v1/tree', 'api/v1/recording'])
      expect((await ask(address, path, { headers: real })).status).toBe(status);
    if (status === 200) return;
    // The stream is refused likewise, before anything of it is made.
    expect((await ask(address, 'api/v1/stream', { headers: real })).status).toBe(status);
    expect(handle.viewers).toBe(0);
  });

  it.each([
    ['no token', { ...JSON_TYPE, origin: 'self' }, 401],
    ['no Origin', { ...JSON_TYPE, ...bearer(TOKEN), 'sec-fetch-site': 'same-origin' }, 403],
    ['a foreign Origin', { ...JSON_TYPE, ...bearer(TOKEN), origin: 'http://evil.test' }, 403],
    ['a null Origin', { ...JSON_TYPE, ...bearer(TOKEN), origin: 'null' }, 403],
    ['the Origin of another port', { ...JSON_TYPE, ...bearer(TOKEN), origin: 'http://127.0.0.1:1' }, 403],
    [
      'a form',
      { ...bearer(TOKEN), origin: 'self', 'content-type': 'application/x-www-form-urlencoded' },
      415,
    ],
    ['plain text', { ...bearer(TOKEN), origin: 'self', 'content-type': 'text/plain' }, 415],
    ['all that it needs', { ...JSON_TYPE, ...bearer(TOKEN), origin: 'self' }, 200],
  ])('POST with %s', async (_, headers, status) => {
    const sent = headers as Record<string, string>;
    expect((await command(sent['origin'] === 'self' ? { ...sent, origin } : sent)).status).toBe(status);
  });

  const good = () => ({ ...JSON_TYPE, ...bearer(TOKEN), origin });

  it('refuses a body that is too large, said or not', async () => {
    const large = JSON.stringify({ do: 'pause', path: 'x'.repeat(70_000) });
    expect((await command(good(), large)).status).toBe(413);
  });

  it.each([
    ['what is not JSON', '{'],
    ['no object', '[]'],
    ['an unknown command', '{"do":"format","path":"till"}'],
    ['an unknown field', '{"do":"kill","path":"till","force":true}'],
    ['a key that changes prototypes', '{"do":"send","path":"till","event":{"type":"x","__proto__":{"a":1}}}'],
    [
      'nesting that would break a walk',
      `{"do":"send","path":"till","event":{"type":"x","a":${'['.repeat(2_000)}${']'.repeat(2_000)}}}`,
    ],
    ['a fault without an end', '{"do":"fault","path":"till","fault":{"kind":"throw"}}'],
  ])('refuses %s', async (_, body) => {
    expect((await command(good(), body)).status).toBe(422);
  });

  it('knows no other doors and no other methods', async () => {
    const headers = { ...own, ...bearer(TOKEN) };
    expect((await ask(address, 'api/v1/secrets', { headers })).status).toBe(404);
    expect((await ask(address, 'api/v1/command', { headers: good() })).status).toBe(405);
    expect((await ask(address, 'api/v1/tree', { method: 'DELETE', headers: good() })).status).toBe(405);
    expect((await ask(address, '../../package.json', { headers })).status).toBe(404);
    expect((await ask(address, '%2e%2e/package.json', { headers })).status).toBe(404);
  });

  it('gives the page to whoever follows a link, with headers that fence it in', async () => {
    const page = await ask(address, '');
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
    expect(page.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    expect(page.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('writes its token into the address behind the #, and nowhere else', async () => {
    expect(handle.url).toBe(`${address}#token=${TOKEN}`);
    const headers = { ...own, ...bearer(TOKEN) };
    const answers = await Promise.all(
      ['', 'api/v1/hello', 'api/v1/tree', 'api/v1/recording', 'api/v1/actor?path=explorer'].map((path) =>
        ask(address, path, { headers }),
      ),
    );
    for (const { text, headers: sent } of answers) {
      expect(text).not.toContain(TOKEN);
      expect(JSON.stringify(sent)).not.toContain(TOKEN);
    }
    expect(events.some(({ type }) => type === 'explorer.refused')).toBe(true);
    expect(events.some(({ type }) => type === 'explorer.commanded')).toBe(true);
    expect(JSON.stringify(events)).not.toContain(TOKEN);
  });
});

describe('an explorer of which nothing is said', () => {
  it('is read-only, on loopback, and open to who sits there', async () => {
    const system = createSystem();
    const handle = await system.start(explorer());
    const page = new Page(handle.address as string);
    expect(handle.url).toBe(handle.address);
    expect(handle.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect((await page.get('hello')).json).toMatchObject({ commands: [], readOnly: expect.any(String) });
    expect(await page.post('command', { do: 'kill', path: 'explorer' })).toMatchObject({ status: 403 });
    expect(await ask(page.address, 'api/v1/tree')).toMatchObject({ status: 403 });
    await system.shutdown();
  });

  it('asks for a token of its own once it takes commands', async () => {
    const system = createSystem();
    const handle = await system.start(explorer({ commands: ['kill'] }));
    expect(handle.url).toMatch(/#token=[\w-]{32}$/);
    expect(await new Page(handle.address as string).get('hello')).toMatchObject({ status: 401 });
    await system.shutdown();
  });

  it('is refused on any address that others reach, unless it has a token', () => {
    expect(() => explorer({ host: '0.0.0.0' })).toThrow(/token/);
    expect(() => explorer({ host: '0.0.0.0', token: 'short' })).toThrow(/token/);
    expect(explorer({ host: '0.0.0.0', token: TOKEN }).id).toBe('explorer');
  });
});

describe('mounted under a path', () => {
  it('serves below its path alone, with a token, and ends with its owner', async () => {
    const system = createSystem();
    const handler = createExplorerHandler(system, { basePath: '/ops/explorer' });
    const http: Server = createServer((request, response) => {
      if (request.url?.startsWith('/ops/explorer') === true) handler(request, response);
      else response.end('the shop');
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    expect(await ask(address, '/')).toMatchObject({ text: 'the shop' });
    expect(await ask(address, '/ops/explorer')).toMatchObject({
      status: 308,
      headers: { location: '/ops/explorer/' },
    });
    expect(await ask(address, '/ops/explorer/')).toMatchObject({ status: 200 });
    const page = new Page(`${address}/ops/explorer/`, handler.token);
    await page.open();
    await page.until('tree');
    expect(handler.viewers).toBe(1);
    expect(await new Page(`${address}/ops/explorer/`).get('tree')).toMatchObject({ status: 401 });
    handler.close();
    await page.until('bye');
    expect(await page.get('tree')).toMatchObject({ status: 503 });
    await system.shutdown();
    await new Promise((resolve) => http.close(resolve));
  });

  type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

  /** What Express does for `use(prefix, middleware)`: the prefix is cut off, and told beside. */
  const using = (prefix: string, middleware: Middleware): Middleware => {
    return (request, response, next) => {
      const url = request.url ?? '/';
      const [path = ''] = url.split('?', 1);
      if (path !== prefix && !path.startsWith(`${prefix}/`)) return next();
      const rest = url.slice(prefix.length);
      request.url = rest.startsWith('/') ? rest : `/${rest}`;
      return middleware(Object.assign(request, { baseUrl: prefix, originalUrl: url }), response, next);
    };
  };

  /** What `express.json()` does: the body is read, and stands beside. */
  const parsing: Middleware = (request, _response, next) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (chunks.length > 0) Object.assign(request, { body: JSON.parse(Buffer.concat(chunks).toString()) });
      next();
    });
  };

  const mounted = async (system: System, basePath: string) => {
    const handler = createExplorerHandler(system, {
      commands: true,
      ...(basePath === '' ? {} : { basePath }),
    });
    const explore = using('/ops/explorer', handler);
    const http = createServer((request, response) =>
      parsing(request, response, () => explore(request, response, () => response.end('the shop'))),
    );
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return { handler, http, address: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
  };

  it.each(['', '/ops/explorer'])(
    'is a middleware: its prefix cut off, the body read before it, the rest left to others (basePath %j)',
    async (basePath) => {
      const system = createSystem();
      await system.start(actor('till', server({ init: () => ({}) })));
      const { handler, http, address } = await mounted(system, basePath);
      expect(await ask(address, '/ops')).toMatchObject({ text: 'the shop' });
      // Its assets are beside it: without the slash a browser would seek them elsewhere.
      const bare = await ask(address, '/ops/explorer?a=1');
      expect(bare).toMatchObject({ status: 308, headers: { location: '/ops/explorer/' } });
      const { text } = await ask(address, '/ops/explorer/');
      const script = /src="([^"]+)"/.exec(text)?.[1] as string;
      const found = await ask(`${address}/ops/explorer/`, script);
      expect([found.status, found.headers['content-type']]).toEqual([
        200,
        expect.stringContaining('javascript'),
      ]);
      const page = new Page(`${address}/ops/explorer/`, handler.token);
      await page.open();
      await page.until('tree');
      await page.watch({ metrics: false });
      expect(await page.post('command', { do: 'pause', path: 'till' })).toMatchObject({ status: 200 });
      const unruly = JSON.parse('{"do":"pause","path":"till","__proto__":{}}') as object;
      expect(await page.post('command', unruly)).toMatchObject({ status: 422 });
      const large = { do: 'send', path: 'till', event: { type: 'x', pad: 'y'.repeat(70_000) } };
      expect(await page.post('command', large)).toMatchObject({ status: 413 });
      handler.close();
      await system.shutdown();
      await new Promise((resolve) => http.close(resolve));
    },
  );

  it('a prefix that is another host is nowhere to be sent to', async () => {
    const system = createSystem();
    const handler = createExplorerHandler(system);
    const http = createServer((request, response) => {
      Object.assign(request, { baseUrl: request.url, originalUrl: request.url, url: '/' });
      handler(request, response);
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const { status } = await ask(`${address}//evil.test`, '');
    expect(status).toBe(200);
    handler.close();
    await system.shutdown();
    await new Promise((resolve) => http.close(resolve));
  });
});
