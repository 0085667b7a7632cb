import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realHost } from '../../../src/base/real-host.ts';
import { draw } from '../../../src/explorer/cli/draw.ts';
import { loadPeer } from '../../../src/explorer/draw/peer.ts';
import { subjectsInFile } from '../../../src/explorer/draw/read-file.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
let project = '';

const MACHINE = `
import { createMachine } from 'xstate';
import { Word } from '@words/word';
enum Kind { Lamp = 'lamp' }
console.log('noise on stdout');
if (!import.meta.url.endsWith('/lamp.ts')) throw new Error('lost ' + import.meta.url);
if (!__dirname.endsWith('src')) throw new Error('lost ' + __dirname);
setInterval(() => undefined, 1_000);
const states = { off: { on: { [Word.press]: 'on' } }, on: {} };
export const lamp = createMachine({ id: Kind.Lamp, initial: 'off', states });
`;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'troupe-draw-test-'));
  mkdirSync(join(project, 'src'));
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(project, 'tsconfig.json'),
    '{"compilerOptions":{"baseUrl":".","paths":{"@words/*":["src/*"]}}}',
  );
  writeFileSync(join(project, 'src/word.ts'), "export const Word = { press: 'press' } as const;\n");
  writeFileSync(join(project, 'src/lamp.ts'), MACHINE);
  writeFileSync(join(project, 'plain.mjs'), 'export const nothing = 1;\n');
  writeFileSync(join(project, 'throws.mjs'), "throw new TypeError('no database here');\n");
  writeFileSync(join(project, 'waits.mjs'), 'setInterval(() => {}, 1e3); await new Promise(() => {});\n');
  writeFileSync(join(project, 'broken.ts'), 'export const = 1;\n');
});
afterAll(() => rmSync(project, { recursive: true }));

const run = async (...args: readonly string[]) => {
  const [printed, complained]: [string[], string[]] = [[], []];
  const code = await draw.run(args, {
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    interrupted: new Promise(() => undefined),
  });
  return { code, printed: printed.join('\n'), complained: complained.join('\n') };
};

describe('troupe draw', () => {
  it('reads TypeScript as its project does: enums, aliases, what a source knows of itself', async () => {
    const { code, printed, complained } = await run(join(project, 'src/lamp.ts'), '--format', 'mermaid');
    expect([code, complained]).toEqual([0, '']);
    expect(printed).toBe(
      'stateDiagram-v2\n  state "off" as off\n  state "on" as on\n  [*] --> off\n  off --> on : press',
    );
    expect(readdirSync(project).sort()).toEqual([
      'broken.ts',
      'node_modules',
      'package.json',
      'plain.mjs',
      'src',
      'throws.mjs',
      'tsconfig.json',
      'waits.mjs',
    ]);
  });

  it('draws a chart of ours into a file, its form told by the ending', async () => {
    const out = join(project, 'breaker.svg');
    const { code, printed } = await run(join(ROOT, 'actors/circuit-breaker.machine.ts'), '--out', out);
    expect([code, printed]).toEqual([0, '']);
    expect(readFileSync(out, 'utf8')).toMatch(/^<svg .*half_open.*<\/svg>\n$/s);
    rmSync(out);
  });

  it.each([
    ['a file that is not there', 'gone.ts', /there is no such file/],
    ['a file that cannot be read', 'broken.ts', /Expected identifier/],
    ['a file that throws', 'throws.mjs', /TypeError: no database here/],
    ['a file of nothing to draw', 'plain.mjs', /exports no machine and no tree/],
  ])('%s is refused with the reason', async (_, name, reason) => {
    const { code, printed, complained } = await run(join(project, name));
    expect([code, printed]).toEqual([1, '']);
    expect(complained).toMatch(reason);
  });

  it('a file that never finishes loading is ended at the deadline', async () => {
    await expect(
      subjectsInFile(realHost(), join(project, 'waits.mjs'), { timeoutMs: 300 }),
    ).rejects.toMatchObject({
      code: 'ERR_DRAWING_FAILED',
      message: expect.stringContaining('within 300 ms'),
    });
  });

  it.each([[[]], [['a', 'b']], [['a', '--format', 'png']], [['a', '--what']]])(
    'called as %j it says how it is called',
    async (args) => {
      const { code, complained } = await run(...args);
      expect(code).toBe(2);
      expect(complained).toContain('usage: troupe draw <file>');
    },
  );

  it('a peer that is nowhere is named with its install', async () => {
    const from = join(project, 'package.json');
    await expect(loadPeer({ peer: 'no-such-peer', feature: 'reading a.ts', from })).rejects.toMatchObject({
      code: 'ERR_PEER_MISSING',
      message: expect.stringContaining('npm install --save-dev no-such-peer'),
    });
  });
});
