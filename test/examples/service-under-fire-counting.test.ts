/** Three counts that share no code, of the same documents: the checker's, and those of the workers in Node and in Python. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collectCorpus } from '../../examples/service-under-fire/corpus.mjs';
import { countText } from '../../examples/service-under-fire/count-text.mjs';
import { referenceCount } from '../../examples/service-under-fire/reference-count.mjs';
import { requires } from '../requirements.ts';

const FOLDER = fileURLToPath(new URL('../../examples/service-under-fire/', import.meta.url));
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

const EXAMPLES: readonly (readonly [string, number, number])[] = [
  ['', 0, 0],
  ['One. Two! Three?', 3, 3],
  ['Wait... what?! No.no', 4, 2],
  ['e.g. this\u00a0is.\u2003It', 5, 2],
  ['not ended', 2, 0],
  ["it's naïve: 3.14", 6, 0],
  ['end.\ufeffnot white space', 4, 0],
  ['end.\u0085next.\u001cnot', 3, 1],
  ['. . ...', 0, 3],
];

describe('counting', () => {
  it.each(EXAMPLES)('%j has %i words and %i sentences', (text, words, sentences) => {
    expect(countText(text)).toMatchObject({ words, sentences });
    expect(referenceCount(Buffer.from(text))).toMatchObject({ words, sentences });
  });

  it('ranks terms by how often they occur, then by their bytes', () => {
    const text = 'b B a c C c z 10 9 A _ zebra';
    const terms = [
      ['c', 3],
      ['a', 2],
      ['b', 2],
      ['10', 1],
      ['9', 1],
      ['z', 1],
      ['zebra', 1],
    ];
    expect(countText(text).terms).toEqual(terms);
    expect(referenceCount(Buffer.from(text)).terms).toEqual(terms);
    expect(countText('k j i h g f e d c b a').terms).toHaveLength(10);
  });

  it('finds the same in Node as the checker does, in any bytes', () => {
    fc.assert(
      fc.property(documentBytes, (bytes) => {
        expect(countText(decode(bytes))).toEqual(referenceCount(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('finds the same in every document of the default input', async () => {
    const { documents } = await collectCorpus({ folder: MODULES, named: false });
    expect(documents.length).toBeGreaterThan(50);
    for (const { bytes } of documents) expect(countText(decode(bytes))).toEqual(referenceCount(bytes));
  });

  const python = requires('python3');
  const unlessMissing = python.skip ? ` (skipped: ${python.reason})` : '';
  it.skipIf(python.skip)(
    `finds the same in Python, in the default input and in any bytes${unlessMissing}`,
    async () => {
      const { documents } = await collectCorpus({ folder: MODULES, named: false });
      const samples = [
        ...documents.map(({ bytes }) => bytes),
        ...EXAMPLES.map(([text]) => Buffer.from(text)),
        ...fc.sample(documentBytes, { numRuns: 500, seed: 1 }),
      ];
      const script =
        'import json, sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv[1])\n' +
        'from count_text import count_text\n' +
        'for line in sys.stdin: print(json.dumps(count_text(json.loads(line)), separators=(",", ":")))';
      const input = samples.map((bytes) => `${JSON.stringify(decode(bytes))}\n`).join('');
      const output = execFileSync('python3', ['-c', script, FOLDER], { input, maxBuffer: 1e8 }).toString();
      const counted = output.trimEnd().split('\n');
      expect(counted).toEqual(samples.map((bytes) => JSON.stringify(referenceCount(bytes))));
    },
  );
});

/** Text, near-text and noise: what trips a counter lies between words, ends of sentences and malformed bytes. */
const documentBytes: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          'a',
          'A',
          '0',
          'the ',
          '.',
          '!?',
          '. ',
          '...',
          '\n',
          '\u0085',
          '\u00a0',
          '\u1680',
          '\u2003',
        )
        .map((text) => Buffer.from(text)),
      fc
        .constantFrom('\u2028', '\u202f', '\u205f', '\u3000', '\ufeff', '\u001c', 'é', '😀', 'ſ', 'K')
        .map((text) => Buffer.from(text)),
      fc
        .constantFrom([0xe2], [0xe2, 0x80], [0xc2], [0xa0], [0xed, 0xa0, 0x80], [0xf0, 0x9f])
        .map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 24 },
  )
  .map((parts) => Buffer.concat(parts));

describe('the corpus', () => {
  it('takes every file of a folder that was named, cut to size, and refuses one without any', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-corpus-'));
    try {
      await expect(collectCorpus({ folder, named: true })).rejects.toThrow('there is no document to count');
      writeFileSync(join(folder, 'b.log'), 'x'.repeat(600 * 1_024));
      writeFileSync(join(folder, 'a.txt'), 'one');
      writeFileSync(join(folder, 'empty'), '');
      const { documents, bytes, leftOut } = await collectCorpus({ folder, named: true });
      expect(documents.map((document) => document.bytes.length)).toEqual([3, 262_144, 262_144, 90_112]);
      expect([bytes, leftOut]).toEqual([614_403, 0]);
      await expect(collectCorpus({ folder, named: false })).rejects.toThrow('there is no document to count');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
