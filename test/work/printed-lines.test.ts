import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LONGEST_LINE, PrintedLines } from '../../src/work/printed-lines.ts';

const collecting = (keep = 20) => {
  const told: string[] = [];
  return { told, lines: new PrintedLines(keep, (line) => told.push(line)) };
};

describe('printed lines', () => {
  it('are the same wherever the chunks are cut, also within a character', () => {
    const text = 'first\nzweite Zeile: äöü\r\n\n😀 third\rlast';
    const expected = ['first', 'zweite Zeile: äöü', '😀 third', 'last'];
    fc.assert(
      fc.property(fc.array(fc.nat({ max: Buffer.byteLength(text) })), (cuts) => {
        const { told, lines } = collecting();
        const bytes = Buffer.from(text);
        const places = [0, ...cuts, bytes.length].sort((a, b) => a - b);
        for (const [i, to] of places.slice(1).entries()) lines.push(bytes.subarray(places[i], to));
        lines.end();
        expect(told).toEqual(expected);
        expect(lines.last).toEqual(expected);
      }),
    );
  });

  it('of two outputs are not mixed', () => {
    const { told, lines } = collecting();
    lines.push(Buffer.from('out-'), 1);
    lines.push(Buffer.from('err\n'), 2);
    lines.push(Buffer.from('put\n'), 1);
    expect(told).toEqual(['err', 'out-put']);
  });

  it('keep the last ones only', () => {
    const { told, lines } = collecting(3);
    for (let i = 0; i < 500; i++) lines.push(Buffer.from(`line ${i}\n`));
    expect(told).toHaveLength(500);
    expect(lines.last).toEqual(['line 497', 'line 498', 'line 499']);
  });

  it('are cut when long, though no end ever comes, and say so', () => {
    const { told, lines } = collecting();
    for (let i = 0; i < 100; i++) lines.push(Buffer.alloc(1_000, 'x'));
    lines.push(Buffer.from('\nnext\n'));
    expect(told[0]).toBe(`${'x'.repeat(LONGEST_LINE)}… (98000 more characters)`);
    expect(told[1]).toBe('next');
  });

  it('may be none at all', () => {
    const { told, lines } = collecting(0);
    lines.push(Buffer.from('a\nb'));
    lines.end();
    expect(told).toEqual(['a', 'b']);
    expect(lines.last).toEqual([]);
  });
});
