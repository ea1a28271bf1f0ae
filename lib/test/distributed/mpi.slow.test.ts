import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MPIRUN, mpirun } from "../support/distributed/mpirun.js";

const member = fileURLToPath(new URL("../support/distributed/mpi-member.mjs", import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-mpi-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What every member wrote. */
async function run(size: number, task: string): Promise<Record<string, unknown>[]> {
  const { code, out, err } = await mpirun(size, [member, folder, task]);
  expect(`${out}${err}`).toBe("");
  expect(code).toBe(0);
  return Array.from({ length: size }, (_, rank) =>
    JSON.parse(readFileSync(join(folder, `${rank}.json`), "utf8")),
  );
}

describe.skipIf(MPIRUN === null)("MPI", () => {
  it.each([1, 2, 3])("combines and moves elements of every dtype between %i", async (size) => {
    for (const { done, wrong } of await run(size, "collectives")) {
      expect(wrong).toEqual([]);
      expect(done).toBe((4 * 4 + 5) * 10 * 3 * 2); // kinds and operators, dtypes, sizes, MPI's own and ours
    }
  });

  it("sends messages of any size in order, and says what is wrong with one", async () => {
    for (const result of await run(3, "messages"))
      expect(result).toMatchObject({
        big: true,
        small: [11, 12, [1, 2]],
        errors: [
          expect.stringMatching(/^TransportError: receive: expected 2 bytes from rank \d, it sent more$/),
          expect.stringMatching(/^TransportError: receive: expected 4 bytes from rank \d, it sent 3$/),
          "TransportError: mpi: rank 3 is not one of 0 … 2",
        ],
        host: true,
        nan: ["NaN", "2"],
        trap: "RuntimeError",
      });
  });

  it("leaves the core to others while it waits", async () => {
    for (const { share } of await run(2, "waiting")) expect(share).toBeLessThan(0.5); // asking without end: 1
  });

  it("carries the group of a script that mlsys run runs under mpirun", async () => {
    const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
    const args = [here("../../bin/mlsys.mjs"), "run", here("../support/distributed/train.ts")];
    const { code, out, err } = await mpirun(3, args, { MLSYS_NUM_THREADS: "1" });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown[]);
    const [shared, own] = [["mpi", [2, 2], [2, 2]], "0,1,2"];
    expect(lines).toHaveLength(3);
    expect(lines.filter(([, , , alone]) => alone === null)).toEqual(Array(2).fill([...shared, null, own]));
    expect(lines).toContainEqual([...shared, [3, 2], own]);
  });

  it("ends the job when a member ends", async () => {
    const { code, err } = await mpirun(2, [member, folder, "dies"]);
    expect(code).not.toBe(0);
    expect(err).toMatch(/exit/i);
  });
});
