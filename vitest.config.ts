import { defineConfig } from "vitest/config";

const outside = ["**/node_modules/**", ".lab/**"];

/** One project for each kind of test, told apart by the file's name; `./lab test` runs them in this order. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...outside, "**/*.integration.test.ts", "**/*.e2e.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["**/*.integration.test.ts"],
          exclude: outside,
          // Real servers: one file at a time, so that a laptop's memory and a test's deadline both hold.
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["tests/**/*.e2e.test.ts"],
          exclude: outside,
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
