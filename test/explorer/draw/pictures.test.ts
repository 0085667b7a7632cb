import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { toMermaid } from '../../../src/chart/mermaid.ts';
import { Charts } from '../../../src/explorer/chart-definition.ts';
import { chartPicture } from '../../../src/explorer/draw/chart-picture.ts';
import { subjectsIn } from '../../../src/explorer/draw/subjects.ts';
import { escapeXml } from '../../../src/explorer/draw/svg.ts';
import { treeMermaid, treeOfSpec } from '../../../src/explorer/draw/tree-node.ts';
import { treePicture } from '../../../src/explorer/draw/tree-picture.ts';
import { actor, application, circuitBreaker, server, supervisor } from '../../../src/index.ts';

const HOSTILE = `<img src=x onerror="alert('1')">&]]>`;

/** The texts of a document whose elements are all closed in order; throws where they are not. */
const textsOf = (xml: string): string[] => {
  const open: string[] = [];
  const texts: string[] = [];
  let at = 0;
  for (const { 0: tag, 1: closing, 2: name = '', 3: alone, index } of xml.matchAll(
    /<(\/?)([a-zA-Z]+)(?:\s+[\w:-]+="[^"<]*")*\s*(\/?)>/g,
  )) {
    const between = xml.slice(at, index);
    if (between.includes('<')) throw new Error(`a stray sign in ${between}`);
    if (between.trim() !== '') texts.push(between);
    at = index + tag.length;
    if (closing === '/') {
      const expected = open.pop();
      if (expected !== name) throw new Error(`${name} closes ${expected}`);
    } else if (alone !== '/') open.push(name);
  }
  if (open.length > 0) throw new Error(`left open: ${open.join(' ')}`);
  return texts;
};

const definitionOf = (machine: object) => new Charts().of(machine, 'user').definition;

const door = setup({
  types: {} as { events: { type: 'open' } | { type: 'lock' } },
  guards: { isFree: () => true },
  delays: { patience: 1_000 },
}).createMachine({
  id: 'door',
  initial: 'closed',
  states: {
    closed: {
      on: { open: { target: 'ajar', guard: 'isFree' }, lock: '.bolted' },
      initial: 'shut',
      states: { shut: {}, bolted: {} },
    },
    ajar: { description: HOSTILE, after: { patience: 'closed' } },
    gone: { type: 'final' },
  },
});

const ACTORS = new URL('../../../actors/', import.meta.url);
const charts = readdirSync(ACTORS).filter((name) => name.endsWith('.machine.ts'));

describe('a chart as a picture', () => {
  it.each(charts)('%s is one well-formed document that says all its states and events', async (name) => {
    const [machine] = Object.values(
      (await import(/* @vite-ignore */ new URL(name, ACTORS).href)) as Record<
        string,
        { states?: Record<string, unknown> }
      >,
    ).filter((value) => typeof value === 'object' && value.states !== undefined);
    const definition = definitionOf(machine as object);
    const picture = chartPicture(definition);
    const texts = textsOf(picture);
    for (const { key } of definition.root.states) expect(texts).toContain(key);
    expect(picture).toBe(chartPicture(definitionOf(machine as object)));
  });

  it('nothing in it is a script, a link or an element of the program that is drawn', () => {
    const picture = chartPicture(definitionOf(door));
    expect(textsOf(picture).some((text) => text.includes(escapeXml('<img')))).toBe(true);
    const elements = new Set([...picture.matchAll(/<(\w+)/g)].map(([, name]) => name));
    const drawing = [
      'circle',
      'defs',
      'desc',
      'g',
      'marker',
      'path',
      'rect',
      'style',
      'svg',
      'text',
      'title',
    ];
    expect([...elements].filter((name) => ![...drawing, 'tspan'].includes(name as string))).toEqual([]);
    expect(picture).not.toMatch(/href=|url\((?!#)|@import/);
  });

  it('has both themes, and words for who cannot see it', () => {
    const picture = chartPicture(definitionOf(door));
    expect(picture).toContain('@media(prefers-color-scheme:dark)');
    expect(picture).toContain('<title id="title">Statechart door</title>');
    expect(picture).toContain('open if isFree goes to ajar.');
    expect(textsOf(picture)).toEqual(expect.arrayContaining(['open', ' [isFree]', '◷ after patience']));
  });

  it('signs that XML cannot hold do not break it', () => {
    expect(escapeXml('a\u0000b\u001bc\ud800')).toBe('a\ufffdb\ufffdc\ufffd');
  });
});

const prices = circuitBreaker('prices');
const tree = supervisor('shop', {
  strategy: 'rest_for_one',
  children: [
    prices,
    actor(HOSTILE, server({ init: () => ({}) }), { dependsOn: prices, restart: 'transient' }),
    supervisor('office', { children: [actor('ledger', server({ init: () => ({}) }))] }),
  ],
});

describe('a tree as a picture', () => {
  it('says of each spec its kind, its strategy or restart type, and on whom it depends', () => {
    const texts = textsOf(treePicture(treeOfSpec(tree)));
    expect(texts).toEqual(
      expect.arrayContaining(['shop', 'supervisor', 'rest_for_one', escapeXml(HOSTILE), 'ledger']),
    );
    expect(texts).toContain('transient · depends on prices');
  });

  it('is Mermaid as well, whatever its names hold', () => {
    const text = treeMermaid(treeOfSpec(tree));
    expect(text).toContain('-. depends on .->');
    expect(text).not.toContain('<img');
    expect(text.split('\n')[1]).toBe('  n1["<b>shop</b><br/>supervisor · rest_for_one"]');
  });
});

describe('what a module exports', () => {
  it('machines are known by their shape, trees by their brand, each once, by its own name', () => {
    const app = application(supervisor('other', { children: [] }));
    const subjects = subjectsIn({
      default: door,
      door,
      tree,
      app,
      other: 1,
      none: null,
      machine: { id: 'x' },
    });
    expect(subjects.map(({ kind, name }) => [kind, name])).toEqual([
      ['chart', 'door'],
      ['tree', 'tree'],
      ['tree', 'app'],
    ]);
    expect(subjects[0]).toMatchObject({ mermaid: toMermaid(door) });
  });
});
