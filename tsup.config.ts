import { copyFile, cp, mkdir } from 'node:fs/promises';
import { defineConfig } from 'tsup';

/** The explorer's page: one script, one style sheet and one document, without a reference to anything elsewhere. */
const page = defineConfig({
  entry: { page: 'src/explorer/page/main.tsx' },
  outDir: 'dist/explorer-page',
  format: ['esm'],
  target: 'es2022',
  platform: 'browser',
  splitting: false,
  minify: true,
  clean: true,
  dts: false,
  noExternal: [/./],
  tsconfig: 'src/explorer/page/tsconfig.json',
  onSuccess: async () => {
    for (const name of ['index.html', 'page.css', 'icon.svg'])
      await copyFile(`src/explorer/page/${name}`, `dist/explorer-page/${name}`);
  },
});

/** The program of sessions in JavaScript: one file with all that it needs, since it runs in a process of its own. */
const sessionKernel = defineConfig({
  entry: { 'session-kernel': 'src/execution/kernels/javascript/session-kernel.ts' },
  format: ['esm'],
  target: 'node20.19',
  platform: 'node',
  splitting: false,
  minifySyntax: true,
  dts: false,
  noExternal: [/./],
});

const library = defineConfig({
  entry: {
    index: 'src/index.ts',
    resilience: 'src/resilience/index.ts',
    worker: 'src/work/sdk/worker.ts',
    execution: 'src/execution/index.ts',
    pino: 'src/telemetry/pino.ts',
    testing: 'src/testing/index.ts',
    explorer: 'src/explorer/index.ts',
    cli: 'src/cli.ts',
    'inspect-file': 'src/explorer/draw/inspect-file.ts',
  },
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  splitting: true,
  sourcemap: true,
  // The page and the session kernel are built beside it, at the same time.
  clean: ['!explorer-page', '!explorer-page/**', '!session-kernel.js'],
  dts: true,
  external: ['xstate', 'pino', 'fast-check', 'vitest'],
  // What ships beside the code; `src/work/assets.ts` finds it there.
  onSuccess: async () => {
    await mkdir('dist/python', { recursive: true });
    await copyFile('src/work/sdk/troupe_worker.py', 'dist/python/troupe_worker.py');
    await cp('src/execution/kernels/python', 'dist/python', {
      recursive: true,
      filter: (source) => !source.endsWith('__pycache__'),
    });
  },
});

export default [library, page, sessionKernel].flat();
