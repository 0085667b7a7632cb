/** The guides of policies and of coordination: their code compiles and runs, their pictures are the charts, and their words exist. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ILLUSTRATED, illustrated } from '../../scripts/print-charts.ts';
import { ERRORS } from '../../src/base/errors.ts';
import * as everything from '../../src/index.ts';
import * as policies from '../../src/resilience/index.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const guides = `${root}docs/guides/`;
const read = (name: string): string => readFileSync(`${guides}${name}`, 'utf8');

const POLICIES = readdirSync(`${guides}policies`).map((name) => `policies/${name}`);
const COORDINATION = ['context.md', 'leak-audit.md', 'streams.md', 'health-monitor.md'];
const RESILIENCE = ['resilience.md', 'thresholds.md', 'from-opossum.md', 'from-cockatiel.md', ...POLICIES];
const PAGES = [...RESILIENCE, ...COORDINATION];

/** The TypeScript blocks of a page. */
const blocksOf = (page: string): readonly string[] =>
  [...read(page).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);

describe('the code of the guides', () => {
  const sources = new Map(
    PAGES.flatMap((page) =>
      blocksOf(page).map((code, at) => [`${root}guide-${page.replace('/', '-')}-${at}.mts`, code]),
    ),
  );

  it('is there: on every page of a policy', () => {
    for (const page of POLICIES) expect(blocksOf(page), page).not.toEqual([]);
  });

  it('compiles, as strictly as our own', () => {
    const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
    const options: ts.CompilerOptions = {
      ...ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options,
      // Blocks are read, not built on.
      noUnusedLocals: false,
      paths: {
        troupe: [`${root}src/index.ts`],
        'troupe/resilience': [`${root}src/resilience/index.ts`],
        'troupe/testing': [`${root}src/testing/index.ts`],
      },
    };
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

  it('runs, from what ships, and ends by itself; each block prints something', async () => {
    const imports = new Set<string>();
    const bodies = [...sources].map(([name, code]) => {
      for (const [line] of code.matchAll(/^import .*$/gm)) imports.add(line);
      const body = code.replace(/^import .*$/gm, '');
      return `await (async () => {\n${body}\n})(); console.log('end of ${name}');`;
    });
    // Blocks share what they import, by one name for each.
    const named = [...imports].flatMap((line) => {
      const [, names = '', from = ''] = /^import \{ (.*) \} from '(.*)';$/.exec(line) ?? [];
      expect(from, line).not.toBe('');
      return names.split(', ').map((each) => `import { ${each} } from '${from}';`);
    });
    const { outputText } = ts.transpileModule([...new Set(named), ...bodies].join('\n'), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', outputText], {
      cwd: root,
      timeout: 30_000,
    });
    expect(stderr).toBe('');
    const printed = stdout.split(/^end of .*$/m).slice(0, -1);
    expect(printed).toHaveLength(sources.size);
    for (const output of printed) expect(output.trim()).not.toBe('');
  }, 30_000);
});

describe('the words of the guides', () => {
  const vocabulary = readFileSync(`${root}src/base/telemetry.ts`, 'utf8');

  it.each(PAGES)('%s names only what exists', (page) => {
    // The left columns of the tables, and what is commented out, are the others' words.
    const ours = read(page)
      .replace(/^\|[^|]*\|/gm, page.startsWith('from-') ? '|' : '$&')
      .replace(/^ *\/\/.*$/gm, '');
    const named = [...ours.matchAll(/\b(create[A-Z]\w+)\b/g)].map(([name]) => name);
    const kit = COORDINATION.includes(page) ? everything : policies;
    for (const name of named) expect(kit, name).toHaveProperty(name);
    for (const [code] of ours.matchAll(/\bERR_[A-Z_]+\b/g)) expect(ERRORS, code).toHaveProperty(code);
    const events =
      /`((?:breaker|limit|retry|hedge|timeout|fallback|chaos|concurrency|policy|operation|leak)\.[a-z_]+)`/g;
    for (const [, event = ''] of ours.matchAll(events)) expect(vocabulary, event).toContain(`'${event}': {`);
  });

  it('every page of a policy says what it does under overload, and what it costs', () => {
    for (const page of POLICIES) {
      expect(read(page), page).toMatch(/^## Under overload\n\n\S/m);
      expect(read(page), page).toMatch(/^## What it costs\n\n\S/m);
    }
  });

  it('there is a page for each kind of policy', () => {
    const kinds = new Set(
      policies.SENSIBLE_ORDER.map((kind) =>
        kind.replaceAll('_', '-').replace(/^breaker$/, 'circuit-breaker'),
      ),
    );
    for (const kind of kinds) expect(POLICIES).toContain(`policies/${kind}.md`);
  });

  it('their links lead somewhere', () => {
    for (const page of PAGES)
      for (const [, to = ''] of read(page).matchAll(/\]\(([^)#]+)\)/g)) {
        const folder = page.includes('/') ? `${guides}policies/` : guides;
        expect(existsSync(`${folder}${to}`), `${page}: ${to}`).toBe(true);
      }
  });

  it('every threshold that is recommended is an option', () => {
    const [, table = ''] = /## Breaker\n([\s\S]*?)\n## /.exec(read('thresholds.md')) ?? [];
    const recommended = [
      ...table.matchAll(/\| `(\{ kind[^`]*\}|openMs[^`]*|successThreshold[^`]*|halfOpen[^`]*)`/g),
    ];
    expect(recommended).toHaveLength(7);
    for (const [, words = ''] of recommended) {
      const literal = words.startsWith('{') ? `{ window: ${words} }` : `{ ${words} }`;
      const options = Function(`return (${literal});`)() as object;
      expect(policies.createCircuitBreaker(options).inspect().state).toBe('closed');
    }
  });

  it('the sensible order is told as it is', () => {
    const [, told = ''] = /Outermost first: ([^.]+)\./.exec(read('resilience.md')) ?? [];
    const kinds = told
      .replace(/\s*\([^)]*\)/g, '')
      .split(',')
      .map((word) => word.trim().replace('single-flight', 'single_flight').replaceAll(/\s+/g, '_'));
    expect(kinds).toEqual(policies.SENSIBLE_ORDER);
  });
});

describe('the pictures of the guides', () => {
  it.each(ILLUSTRATED)('%s shows the charts as they are: `npm run docs:charts`', (name) => {
    const page = readFileSync(`${root}docs/${name}`, 'utf8');
    expect(page).toContain('<!-- chart: ');
    expect(illustrated(page)).toBe(page);
  });
});
