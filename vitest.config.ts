import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const all = process.env.MLSYS_TEST_ALL === "1";

const seed = fileURLToPath(new URL("ci/scripts/fuzz-seed.ts", import.meta.url));

const project = (name: string, root: string, include: string[]) => ({
  test: {
    name,
    root,
    include,
    exclude: ["**/node_modules/**", "**/dist/**", ...(all ? [] : ["**/*.slow.test.ts"])],
    pool: "forks" as const,
    setupFiles: [seed],
    testTimeout: 300_000, // a hang is found all the same; a busy machine is none
    hookTimeout: 120_000,
  },
});

const tests = ["src/**/*.test.ts", "test/**/*.test.ts"];

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project("lib", "lib", tests),
      project("kernel", "kernel", tests),
      project("ci", "ci", [...tests, "scripts/**/*.test.ts", "browser/**/*.test.ts"]),
    ],
  },
});
