/** Jobs that lose a member in the midst of training. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { library } from "../support/built-library.js";

const { distributed } = library;
const member = fileURLToPath(new URL("../support/distributed/elastic-member.mjs", import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-elastic-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Line {
  readonly rank?: number;
  readonly size?: number;
  readonly restart: number;
  readonly from?: number;
  readonly lost?: string;
}

async function run(
  size: number,
  fault: boolean,
  options: { maxRestarts?: number; min?: number; patience?: number } = {},
) {
  let out = "";
  const report = await distributed.supervise(
    [process.execPath, member, folder, fault ? "FAULT" : "none"],
    size,
    {
      ...options,
      env: { MLSYS_NUM_THREADS: "1" },
      stdio: ["ignore", "pipe", "inherit"],
      onStart: ({ stdout }) =>
        stdout?.on("data", (chunk: Buffer) => {
          out += chunk.toString();
        }),
    },
  );
  const lines = out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
  const weights = JSON.parse(readFileSync(join(folder, "result.json"), "utf8")) as number[];
  return { report, lines, weights };
}

/** The same training on one member, in plain JavaScript. */
function undisturbed(): number[] {
  let weights = [0, 0, 0];
  const rows = Array.from({ length: 24 }, (_, i) => [Math.sin(i), Math.cos(3 * i), 1]);
  for (let step = 0; step < 30; step++) {
    const gradient = [0, 0, 0];
    for (const row of rows) {
      const error = row.reduce((sum, x, k) => sum + x * weights[k], -(2 * row[0] - 3 * row[1] + 0.5));
      for (const k of [0, 1, 2]) gradient[k] += (2 * error * row[k]) / 24;
    }
    weights = weights.map((w, k) => w - 0.3 * gradient[k]);
  }
  return weights;
}

const close = (actual: readonly number[], wanted: readonly number[]): void => {
  for (const [k, w] of wanted.entries()) expect(Math.abs(actual[k] - w)).toBeLessThan(1e-9);
};

describe("elastic training", () => {
  it("goes on from the last checkpoint with a new member for one that was killed", async () => {
    const { report, lines, weights } = await run(3, true);
    expect(report).toEqual({ restarts: 1, lost: 0 });
    const begun = lines.filter(({ rank }) => rank !== undefined);
    expect(begun.filter(({ from }) => from === 0)).toHaveLength(3);
    // the two that were left, and the new one; of the 12 steps before the loss the 2 since the checkpoint are done again
    const again = begun.filter(({ from }) => from === 10);
    expect(again.map(({ size }) => size)).toEqual([3, 3, 3]);
    expect(again.map(({ restart }) => restart).sort()).toEqual([0, 1, 1]);
    expect(lines.filter(({ lost }) => lost !== undefined).map(({ lost }) => lost)).toEqual([
      "PeerLostError",
      "PeerLostError",
    ]);
    close(weights, undisturbed());
  });

  it("goes on with those that are left, if they are enough", async () => {
    const { report, lines, weights } = await run(3, true, { maxRestarts: 0, min: 2, patience: 0 });
    expect(report).toEqual({ restarts: 0, lost: 1 });
    expect(lines.filter(({ from }) => from === 10).map(({ size }) => size)).toEqual([2, 2]);
    close(weights, undisturbed());
  });

  it("ends when too few are left, and ends them", async () => {
    await expect(run(2, true, { maxRestarts: 0 })).rejects.toThrow(
      "supervise: a member ended with SIGKILL; 1 are left, at least 2 are needed",
    );
  });
});
