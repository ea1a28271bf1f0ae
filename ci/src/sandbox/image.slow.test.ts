/** What boxes start from is made once, for all runs, and only of what is installed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { closeImage, openImage } from "./image.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("is made once by those who begin at the same time, and stays", async () => {
  const cache = join(folder, "cache");
  const old = join(cache, "boxes-of-last-year");
  mkdirSync(old, { recursive: true });
  utimesSync(old, new Date("2020-01-01"), new Date("2020-01-01"));
  const [one, two] = await Promise.all([openImage(cache), openImage(cache)]);
  expect(two).toEqual(one);
  expect(one.mounts.length).toBeGreaterThan(0);
  for (const { from, to } of one.mounts) {
    expect(existsSync(from)).toBe(true);
    expect(existsSync(to)).toBe(true);
  }
  // Nothing half made, and nothing that nobody has used for long.
  expect(readdirSync(cache).map((name) => join(cache, name))).toEqual([one.folder]);
  closeImage(one);
  expect(await openImage(cache)).toEqual(one);
  expect(existsSync(one.folder)).toBe(true);
}, 120_000);

it("is made for this run alone where nothing can be kept", async () => {
  const file = join(folder, "a-file");
  writeFileSync(file, "");
  const image = await openImage(join(file, "cache"));
  expect(image.kept).toBe(false);
  expect(existsSync(image.folder)).toBe(true);
  closeImage(image);
  expect(existsSync(image.folder)).toBe(false);
}, 120_000);
