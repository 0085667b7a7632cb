import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import { type ExplorerHandle, explorer, type Frame } from '../../src/explorer/index.ts';
import {
  actor,
  circuitBreaker,
  createSystem,
  fromMachine,
  type System,
  server,
  supervisor,
  type TroupeEvent,
} from '../../src/index.ts';
import { Page } from './served.ts';

const door = setup({
  types: {
    context: {} as { opened: number; code: string },
    events: {} as { type: 'open' | 'close' | 'lock' },
  },
  guards: { isShutWell: ({ context }) => context.opened > 0 },
}).createMachine({
  id: 'door',
  description: 'a door',
  context: { opened: 0, code: 'secret-1234' },
  initial: 'shut',
  states: {
    shut: {
      on: {
        open: { target: 'ajar', actions: assign({ opened: ({ context }) => context.opened + 1 }) },
        lock: { guard: 'isShutWell', target: 'locked' },
      },
    },
    ajar: { on: { close: 'shut' }, after: { 60000: 'shut' } },
    locked: { type: 'final' },
  },
});

const till = () =>
  server({
    init: () => ({ n: 0 }),
    cast: {
      add: (state: { n: number }) => {
        state.n += 1;
      },
      crash: () => {
        throw new Error('the drawer jams');
      },
    },
    call: { total: (state: { n: number }) => state.n },
  });

describe('a watched system', () => {
  let system: System;
  let page: Page;
  let events: TroupeEvent[];
  const prices = circuitBreaker('prices', { window: { kind: 'consecutive', failures: 2 } });
  const shop = () =>
    supervisor('shop', {
      children: [
        explorer({
          commands: true,
          refreshMs: 50,
          redact: (context) => ({ ...(context as object), code: '•' }),
        }),
        actor('till', till(), { description: 'takes the money' }),
        prices,
        actor('door', fromMachine(door)),
      ],
      intensity: 5,
      backoff: false,
    });

  beforeEach(async () => {
    system = createSystem();
    events = [];
    system.events.listen((event) => events.push(event));
    const handle = await system.start(shop());
    expect(handle.path).toBe('shop');
    const spec = system.tree()[0]?.children[0];
    expect(spec?.path).toBe('shop/explorer');
    const place = (system as never as { placeAt(path: string): { handle: ExplorerHandle } }).placeAt(
      'shop/explorer',
    );
    const { url } = place.handle;
    const [address, token] = (url as string).split('#token=') as [string, string];
    page = new Page(address, token);
    await page.open();
  });
  afterEach(async () => {
    page.close();
    await system.shutdown();
  });

  it('greets, then shows the tree, each with the next number', async () => {
    const hello = await page.until('hello');
    expect(hello).toMatchObject({ version: 1, source: 'live', name: 'shop', stream: expect.any(String) });
    const tree = await page.until('tree');
    expect(tree.window.map(({ path, kind, depth }) => [path, kind, depth])).toEqual([
      ['shop', 'supervisor', 0],
      ['shop/explorer', 'explorer', 1],
      ['shop/till', 'server', 1],
      ['shop/prices', 'breaker', 1],
      ['shop/door', 'machine', 1],
    ]);
    expect(tree.window[2]).toMatchObject({
      description: 'takes the money',
      status: 'running',
      restart: 'permanent',
    });
    expect(tree.window[3]).toMatchObject({
      state: 'closed',
      machine: expect.stringMatching(/^circuit-breaker-/),
    });
    await page.until('metrics');
    expect(page.frames.map(({ seq }) => seq)).toEqual(page.frames.map((_, i) => i));
  });

  it('sends a definition once, before what names it', async () => {
    const tree = await page.until('tree');
    const named = tree.window.flatMap(({ machine }) => machine ?? []);
    expect(new Set(named).size).toBe(2);
    await page.watch({ actors: ['shop/door', 'shop/prices'] });
    await page.until('actor', ({ path }) => path === 'shop/prices');
    const at = (fits: (frame: Frame) => boolean) => page.frames.findIndex(fits);
    for (const machine of named) {
      const isIt = (frame: Frame) => frame.type === 'definition' && frame.body.machine === machine;
      expect(page.frames.filter(isIt)).toHaveLength(1);
      expect(at(isIt)).toBeLessThan(at(({ type }) => type === 'tree'));
    }
  });

  it('shows a crash, its restart and its cause, and remembers them for who comes later', async () => {
    await page.post('command', { do: 'send', path: 'shop/till', event: { type: 'crash' } });
    const { facts } = await page.until('facts', ({ facts: all }) =>
      all.some(({ type }) => type === 'supervisor.child.restarted'),
    );
    const crash = page.frames
      .flatMap((frame) => (frame.type === 'facts' ? frame.body.facts : []))
      .find(({ type }) => type === 'actor.ended');
    const restart = facts.find(({ type }) => type === 'supervisor.child.restarted');
    expect(crash).toMatchObject({
      path: 'shop/till',
      weight: 'trouble',
      text: expect.stringContaining('jams'),
    });
    expect(restart).toMatchObject({ path: 'shop', cause: crash?.n });
    const tree = await page.until('tree', ({ window }) => window.some(({ type }) => type === 'tombstone'));
    expect(tree.window.find(({ path, type }) => path === 'shop/till' && type === 'actor')).toMatchObject({
      restarts: 1,
    });

    await page.watch({ supervision: true });
    const { supervisors } = await page.until('supervision');
    expect(supervisors[0]).toMatchObject({
      path: 'shop',
      used: 1,
      intensity: 5,
      window: [expect.any(Number)],
    });
    expect(supervisors[0]?.history[0]).toMatchObject({ child: 'till', outcome: 'restarted' });
    expect(supervisors[0]?.history[0]?.reason.error?.stack).toContain('explorer.test.ts');

    page.close();
    const later = new Page(page.address, page.headers['authorization']?.slice('Bearer '.length));
    await later.open();
    const recalled = await later.until('facts');
    expect(recalled.facts.map(({ type }) => type)).toContain('actor.ended');
    later.close();
  });

  it('steps a machine from a chip: states, transition, context without what is redacted', async () => {
    await page.watch({ actors: ['shop/door'], steps: true });
    const before = await page.until('actor');
    expect(before.detail?.chart).toMatchObject({ value: 'shut', active: ['door', 'door.shut'] });
    expect(before.detail?.chart?.enabled.map(({ type, passes }) => [type, passes])).toEqual([
      ['open', 'yes'],
      ['lock', 'no'],
    ]);
    expect(JSON.stringify(page.frames)).not.toContain('secret-1234');
    await page.post('command', { do: 'send', path: 'shop/door', event: { type: 'open' } });
    const { detail } = await page.until('actor', (body) => body.detail?.chart?.value === 'ajar');
    expect(detail?.context).toEqual({ opened: 1, code: '•' });
    expect(detail?.chart?.last).toMatchObject({
      event: 'open',
      from: 'shut',
      to: 'ajar',
      taken: ['door.shut:open:0'],
    });
    const { steps } = await page.until('steps');
    expect(steps[0]).toMatchObject({ path: 'shop/door', event: 'open', cause: expect.any(Number) });
    await page.post('command', { do: 'send', path: 'shop/door', event: { type: 'close' } });
    await page.until('actor', (body) => body.detail?.chart?.value === 'shut');
    const { json } = await page.get('history?path=shop/door');
    expect((json as { steps: unknown[] }).steps).toMatchObject([
      { to: 'ajar' },
      { from: 'ajar', to: 'shut', taken: ['door.ajar:close:0'] },
    ]);
  });

  it('names what caused a message, and how long it waited and ran', async () => {
    await page.watch({ messages: { below: 'shop/till' } });
    await page.post('command', { do: 'send', path: 'shop/till', event: { type: 'add' } });
    const { messages } = await page.until('messages', ({ messages: all }) =>
      all.some(({ name }) => name === 'add'),
    );
    expect(messages.find(({ name }) => name === 'add')).toMatchObject({
      kind: 'tell',
      to: { path: 'shop/till' },
      outcome: 'handled',
      waitedMs: expect.any(Number),
      ranMs: expect.any(Number),
    });
  });

  it('drives a breaker through its states, and shows its window', async () => {
    await page.watch({ breakers: true, actors: ['shop/prices'] });
    const state = (wanted: string) => page.until('breakers', ({ breakers }) => breakers[0]?.state === wanted);
    expect((await state('closed')).breakers[0]?.window).toMatchObject({
      kind: 'consecutive',
      size: 2,
      failures: 0,
    });
    for (let i = 0; i < 2; i++)
      await page.post('command', { do: 'send', path: 'shop/prices', event: { type: 'fail' } });
    const opened = (await state('open')).breakers[0];
    expect(opened).toMatchObject({ verdict: 'refuse', retryAt: expect.any(Number), counts: { openings: 1 } });
    expect(opened?.chart.last).toMatchObject({ from: 'closed', to: 'open', event: 'window.tripped' });
    expect((await page.post('command', { do: 'reset', path: 'shop/prices' })).status).toBe(200);
    expect((await page.post('command', { do: 'isolate', path: 'shop/prices' })).status).toBe(200);
    await state('isolated');
    expect((await page.post('command', { do: 'release', path: 'shop/prices' })).status).toBe(200);
    expect((await page.post('command', { do: 'release', path: 'shop/prices' })).status).toBe(409);
  });

  it('stops, starts, kills and pauses, and notes each in the audit log before it is done', async () => {
    const status = (wanted: string) =>
      page.until('tree', ({ window }) =>
        window.some((row) => row.path === 'shop/till' && row.type !== 'tombstone' && row.status === wanted),
      );
    const command = (body: object) => page.post('command', { path: 'shop/till', ...body });
    expect((await command({ do: 'pause' })).json).toMatchObject({ done: true, outcome: 'paused', audit: 1 });
    await status('suspended');
    await command({ do: 'send', event: { type: 'add' } });
    await page.until('tree', ({ window }) =>
      window.some((row) => row.path === 'shop/till' && row.mailbox === 1),
    );
    await command({ do: 'resume' });
    expect((await command({ do: 'stop' })).json).toMatchObject({ outcome: 'stopped' });
    await page.until('tree', ({ window }) =>
      window.some((row) => row.path === 'shop/till' && row.type === 'absent'),
    );
    expect((await command({ do: 'restart' })).json).toMatchObject({ outcome: 'started' });
    const alive = system.tree()[0]?.children.find(({ id }) => id === 'till')?.incarnation as number;
    expect((await command({ do: 'kill', incarnation: alive + 1_000 })).status).toBe(409);
    expect((await command({ do: 'kill', incarnation: alive })).status).toBe(200);
    expect((await page.post('command', { do: 'kill', path: 'shop/nobody' })).status).toBe(404);
    const noted = events.filter(({ type }) => type.startsWith('explorer.command'));
    expect(noted.slice(0, 2)).toMatchObject([
      { type: 'explorer.commanded', audit: 1, command: 'pause', target: 'shop/till', from: '127.0.0.1' },
      { type: 'explorer.command_ended', audit: 1, outcome: 'paused' },
    ]);
    expect(noted.at(-1)).toMatchObject({ outcome: expect.stringContaining('refused') });
  });

  it('injects faults that end by themselves', async () => {
    const fault = (kind: string, more: object = {}) =>
      page.post('command', { do: 'fault', path: 'shop/till', fault: { kind, messages: 1, ...more } });
    expect((await fault('drop')).status).toBe(200);
    await page.post('command', { do: 'send', path: 'shop/till', event: { type: 'add' } });
    expect((await fault('throw')).status).toBe(200);
    await page.post('command', { do: 'send', path: 'shop/till', event: { type: 'add' } });
    await page.until('facts', ({ facts }) =>
      facts.some(({ text }) => text.includes('ERR_FAULT_INJECTED') || text.includes('made to fail')),
    );
    expect((await fault('delay', { delayMs: 30 })).status).toBe(200);
    await page.watch({ messages: { below: 'shop/till' }, actors: ['shop/till'] });
    await page.post('command', { do: 'send', path: 'shop/till', event: { type: 'add' } });
    await page.until('messages', ({ messages }) => messages.some(({ waitedMs = 0 }) => waitedMs >= 25));
    await page.until('actor', ({ detail }) => detail !== undefined && detail.fault === undefined);
  });

  it('knows nothing of messages while nobody looks', async () => {
    const inside = system as never as { watch: unknown };
    await page.until('tree');
    expect(inside.watch).toBeDefined();
    page.close();
    while (inside.watch !== undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(inside.watch).toBeUndefined();
  });
});
