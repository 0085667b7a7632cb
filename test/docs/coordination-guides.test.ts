/** The guides of what runs between actors, and of sessions: their code compiles, runs and prints, and the errors that they name exist. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/base/errors.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const PAGES = ['locks.md', 'scopes.md', 'events.md', 'sessions.md'];
const read = (name: string): string => readFileSync(`${root}docs/guides/${name}`, 'utf8');

const blocks = PAGES.flatMap((page) =>
  [...read(page).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ''], at) => ({
    name: `${root}guide-${page}-${at}.mts`,
    title: `${page}, block ${at + 1}`,
    code,
  })),
);

describe('the code of the guides', () => {
  it('compiles, as strictly as our own', () => {
    const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
    const options: ts.CompilerOptions = {
      ...ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options,
      noUnusedLocals: false,
      paths: {
        troupe: [`${root}src/index.ts`],
        'troupe/execution': [`${root}src/execution/index.ts`],
        'troupe/testing': [`${root}src/testing/index.ts`],
      },
    };
    const sources = new Map(blocks.map(({ name, code }) => [name, code]));
    const host = ts.createCompilerHost(options);
    const { readFile, fileExists, getSourceFile } = host;
    host.readFile = (name) => sources.get(name) ?? readFile(name);
    host.fileExists = (name) => sources.has(name) || fileExists(name);
    host.getSourceFile = (name, language) => {
      const code = sources.get(name);
      return code === undefined ? getSourceFile(name, language) : ts.createSourceFile(name, code, language);
    };
    const program = ts.createProgram([...sources.keys()], options, host);
    const complaints = [...sources.keys()].flatMap((name) => {
      const file = program.getSourceFile(name);
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
        ({ messageText }) =>
          `${name.slice(root.length)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      );
    });
    expect(complaints).toEqual([]);
  }, 60_000);

  it.each(blocks)(
    '$title runs as it stands, from what ships, and prints what its comments say',
    async (block) => {
      const { outputText } = ts.transpileModule(block.code, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', outputText], {
        cwd: root,
        timeout: 30_000,
      });
      expect(stderr).toBe('');
      expect(stdout.trim()).not.toBe('');
      for (const [, promised = ''] of block.code.matchAll(/console\.log\(.*\); \/\/ ([^\n,]+)$/gm))
        expect(stdout).toContain(promised);
    },
  );
});

describe('the words of the guides', () => {
  it.each(PAGES)('%s names only errors that exist', (page) => {
    for (const [code] of read(page).matchAll(/\bERR_[A-Z_]+\b/g)) expect(ERRORS, code).toHaveProperty(code);
  });
});
