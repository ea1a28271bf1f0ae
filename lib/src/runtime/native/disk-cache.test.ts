import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LruMap } from "../../core/lru.js";
import { cacheLimit, touch, trimFolder } from "./disk-cache.js";

describe("caches forget what was not used for longest", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mlsys-trim-"));
    ["a", "b", "c", "d"].forEach((name, i) => {
      writeFileSync(join(folder, name), "x".repeat(100));
      utimesSync(join(folder, name), 1000 + i, 1000 + i);
    });
    mkdirSync(join(folder, "inner"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const left = (): string[] => readdirSync(folder).sort();

  it("on disk, by size", () => {
    trimFolder(folder, 400);
    expect(left()).toEqual(["a", "b", "c", "d", "inner"]);
    touch(join(folder, "a"));
    touch(join(folder, "gone"));
    trimFolder(folder, 250);
    expect(left()).toEqual(["a", "d", "inner"]);
    trimFolder(folder, 0, join(folder, "d"));
    expect(left()).toEqual(["d", "inner"]);
  });

  it("in memory, by count", () => {
    const map = new LruMap<string, number>(2);
    map.set("a", 1);
    map.set("b", 2);
    expect(map.get("a")).toBe(1);
    map.set("c", 3);
    expect([map.get("a"), map.get("b"), map.get("c"), map.size]).toEqual([1, undefined, 3, 2]);
  });

  it("has a limit that can be set", () => {
    const before = process.env.MLSYS_CACHE_MB;
    process.env.MLSYS_CACHE_MB = "2";
    expect(cacheLimit()).toBe(2 * 2 ** 20);
    process.env.MLSYS_CACHE_MB = "many";
    expect(cacheLimit()).toBe(256 * 2 ** 20);
    if (before === undefined) delete process.env.MLSYS_CACHE_MB;
    else process.env.MLSYS_CACHE_MB = before;
  });
});
