/** The pictures of docs/ are what the charts draw now: `npm run docs:pictures`. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { pictures } from '../../scripts/print-pictures.ts';

const DOCS = new URL('../../docs/', import.meta.url);

it('every picture is as its chart draws itself, and none is of a chart that is gone (npm run docs:pictures)', async () => {
  const drawn = await pictures();
  const stale = [...drawn].filter(([path, content]) => readFileSync(new URL(path, DOCS), 'utf8') !== content);
  expect(stale.map(([path]) => path)).toEqual([]);
  const there = readdirSync(new URL('pictures/', DOCS)).filter((name) => name.endsWith('.svg'));
  expect(there.filter((name) => !drawn.has(`pictures/${name}`))).toEqual([]);
});

it('the README and the page of charts show pictures that are there', () => {
  for (const [page, folder] of [
    ['../README.md', '../'],
    ['CHARTS.md', ''],
  ] as const) {
    const shown = [...readFileSync(new URL(page, DOCS), 'utf8').matchAll(/!\[[^\]]+\]\(([^)]+\.svg)\)/g)];
    expect(shown.length).toBeGreaterThan(0);
    for (const [, path] of shown)
      expect(() => readFileSync(new URL(folder + path, DOCS)), `${page} → ${path}`).not.toThrow();
  }
});
