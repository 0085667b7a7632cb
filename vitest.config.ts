import { defineConfig } from 'vitest/config';

const ALL = ['test/**/*.test.ts', 'property-tests/**/*.prop.ts'];

/** These touch nothing but their own objects: one load of the modules serves them all, in half the time. */
const TOGETHER = ['actors', 'base', 'chart', 'kernel', 'recovery', 'resilience', 'supervision', 'xstate'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);

export default defineConfig({
  test: {
    testTimeout: 20_000,
    // Two cores on the machines that judge us: more workers than cores only makes real-time tests late.
    maxWorkers: 2,
    pool: 'forks',
    projects: [
      { extends: true, test: { name: 'together', include: TOGETHER, isolate: false } },
      { extends: true, test: { name: 'apart', include: ALL, exclude: TOGETHER } },
    ],
  },
});
