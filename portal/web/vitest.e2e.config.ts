import { defineConfig } from 'vitest/config';

// Real processes and a real browser: one file at a time, and time to start.
export default defineConfig({
  test: {
    environment: 'node',
    include: ['e2e/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
