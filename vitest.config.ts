import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: ["lib", "kernel", "ci"].map((room) => ({
      test: {
        name: room,
        root: room,
        include: ["src/**/*.test.ts", "test/**/*.test.ts"],
        pool: "forks",
        testTimeout: 30_000,
        hookTimeout: 60_000,
      },
    })),
  },
});
