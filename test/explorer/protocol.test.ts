import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_WATCH, DEFAULT_WINDOW_ROWS, LIMITS } from '../../src/explorer/protocol.ts';

describe('protocol', () => {
  it('asks by default for no more rows than a window may have', () => {
    expect(DEFAULT_WINDOW_ROWS).toBeLessThanOrEqual(LIMITS.windowRows);
    expect(DEFAULT_WATCH.tree).toMatchObject({ from: 0, count: DEFAULT_WINDOW_ROWS });
  });

  it('imports types only, so that a page can import it', () => {
    for (const file of ['protocol', 'tree-view', 'actor-view', 'component-view']) {
      const source = readFileSync(new URL(`../../src/explorer/${file}.ts`, import.meta.url), 'utf8');
      for (const [line] of source.matchAll(/^(?:import|export) .* from .*$/gm))
        expect(line).toMatch(/^(import|export) type /);
    }
  });
});
