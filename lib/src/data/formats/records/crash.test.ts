/** A writer that is killed in the middle loses nothing that it had called safe; the next one goes on. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { data } from "../../../index.js";

const folder = mkdtempSync(join(tmpdir(), "mlsys-crash-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const script = fileURLToPath(new URL("../../../../test/support/record-writer.mjs", import.meta.url));

/** Runs a writer, kills it once it has called `safe` records more than at its start safe, and tells how many it had. */
function killedWriter(
  path: string,
  groupRows: number,
  more: number,
): Promise<{ start: number; safe: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, path, String(groupRows)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let [start, safe, text] = [-1, 0, ""];
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split("\n");
      text = lines.pop() as string;
      for (const line of lines) {
        const [word, count] = line.split(" ");
        if (word === "start") start = Number(count);
        safe = Number(count);
      }
      if (safe >= start + more) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", (_, signal) =>
      signal === "SIGKILL"
        ? resolve({ start, safe })
        : reject(new Error(`the writer ended by itself: ${signal}`)),
    );
  });
}

describe("a writer killed with kill -9", () => {
  it("leaves every record that it had called safe, and a lock that the next one takes over", async () => {
    const path = join(folder, "a.rec");
    let before = 0;
    for (const [groupRows, more] of [
      [3, 30],
      [50, 400],
      [11, 1],
    ]) {
      const { start, safe } = await killedWriter(path, groupRows, more);
      expect(start).toBe(before);
      using file = data.openRecords(path, { schema: { id: "int32", body: "bytes" } });
      expect(file.length).toBeGreaterThanOrEqual(safe);
      expect(file.recovery?.rows).toBe(file.length);
      let i = 0;
      for (const { id, body } of file) {
        expect(id).toBe(i);
        expect(body.length).toBe(1 + ((i * 7919) % 3000));
        expect(body.every((byte) => byte === i % 251)).toBe(true);
        i++;
      }
      before = file.length;
      expect(existsSync(`${path}.lock`)).toBe(true);
    }
    {
      using out = data.recordWriter(path, { id: "int32", body: "bytes" }, { append: true });
      expect(out.length).toBe(before);
    }
    using file = data.openRecords(path);
    expect([file.length, file.recovery]).toEqual([before, null]);
    expect(readFileSync(path).subarray(-8).toString()).toBe("MLRECEND");
  }, 120_000);
});
