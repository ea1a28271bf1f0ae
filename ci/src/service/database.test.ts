/** Transactions that share their way to the disk. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Database } from "./database.js";

let folder: string;
let database: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-test-"));
  database = Database.open(folder);
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const add = (id: string) =>
  database.run("INSERT INTO person(id, name, email, role) VALUES (?, ?, '', 'student')", id, id);
/** What another process sees. */
function seen(): string[] {
  const other = Database.open(folder);
  const ids = other.all<{ id: string }>("SELECT id FROM person ORDER BY id").map(({ id }) => id);
  other.close();
  return ids;
}

it("are all seen when their promises resolve, and one that fails takes nothing of the others along", async () => {
  const ends = await Promise.allSettled([
    database.together(() => add("a")),
    database.together(() => {
      add("b");
      throw new Error("not b");
    }),
    database.together(() => {
      add("c");
      add("a"); // is there already
    }),
    database.together(() => [add("d"), seen()]),
  ]);
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  expect(ends[1]).toMatchObject({ reason: new Error("not b") });
  expect((ends[2] as PromiseRejectedResult).reason).toMatchObject({ message: /UNIQUE/ });
  // Before, nobody else sees any of it.
  expect(ends[3]).toMatchObject({ value: [1, []] });
  expect(seen()).toEqual(["a", "d"]);
});

it("are none of them done when the disk refuses them all", async () => {
  const ends = await Promise.allSettled([
    database.together(() => add("a")),
    database.together(() => database.run("ROLLBACK")),
  ]);
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(seen()).toEqual([]);
  expect(await database.together(() => add("z"))).toBe(1);
});

it("are done before the database is closed", async () => {
  const pending = database.together(() => add("a"));
  database.close();
  expect(await pending).toBe(1);
  database = Database.open(folder);
  expect(seen()).toEqual(["a"]);
});

it("go to the disk again after one that need not", () => {
  const sync = () => database.get<{ synchronous: number }>("PRAGMA synchronous")?.synchronous;
  expect(sync()).toBe(2);
  expect(database.quickly(() => [add("q"), sync()])).toEqual([1, 1]);
  expect(() =>
    database.quickly(() => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(sync()).toBe(2);
});
