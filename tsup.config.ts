import { copyFile, mkdir } from 'node:fs/promises';
import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    resilience: 'src/resilience/index.ts',
    worker: 'src/work/sdk/worker.ts',
    pino: 'src/telemetry/pino.ts',
    testing: 'src/testing/index.ts',
    explorer: 'src/explorer/index.ts',
    cli: 'src/cli.ts',
  },
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: true,
  external: ['xstate', 'pino', 'fast-check', 'vitest'],
  // What ships beside the code; `src/work/assets.ts` finds it there.
  onSuccess: async () => {
    await mkdir('dist/python', { recursive: true });
    await copyFile('src/work/sdk/troupe_worker.py', 'dist/python/troupe_worker.py');
  },
});
