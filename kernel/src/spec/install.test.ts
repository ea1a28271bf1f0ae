import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  installKernelSpec,
  kernelsDirectory,
  listKernelSpecs,
  uninstallKernelSpec,
  userDataDirectory,
} from "./install.js";

let prefix: string;
beforeEach(() => {
  prefix = mkdtempSync(join(tmpdir(), "spec-"));
});
afterEach(() => rmSync(prefix, { recursive: true, force: true }));

it("writes, lists and removes the spec", () => {
  const directory = installKernelSpec({ prefix, name: "mine", displayName: "Mine" });
  expect(directory).toBe(join(prefix, "share", "jupyter", "kernels", "mine"));
  const spec = JSON.parse(readFileSync(join(directory, "kernel.json"), "utf8"));
  expect(spec).toMatchObject({
    argv: [process.execPath, expect.stringMatching(/host[\\/]main\.js$/), "{connection_file}"],
    display_name: "Mine",
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: true },
  });
  expect(readFileSync(join(directory, "logo-svg.svg"), "utf8")).toContain("<svg");
  expect(listKernelSpecs({ prefix })).toMatchObject([{ name: "mine", displayName: "Mine", directory }]);
  expect(uninstallKernelSpec({ prefix, name: "mine" })).toBe(directory);
  expect(uninstallKernelSpec({ prefix, name: "mine" })).toBeUndefined();
  expect(listKernelSpecs({ prefix })).toEqual([]);
});

it("refuses names that Jupyter would not find", () => {
  expect(() => installKernelSpec({ prefix, name: "a b" })).toThrow('"a b" cannot name a kernelspec');
});

it("knows Jupyter's data folder on each platform", () => {
  expect(userDataDirectory("linux", {}, "/home/a")).toBe(join("/home/a", ".local", "share", "jupyter"));
  expect(userDataDirectory("linux", { XDG_DATA_HOME: "/x" }, "/home/a")).toBe(join("/x", "jupyter"));
  expect(userDataDirectory("darwin", {}, "/Users/a")).toBe(join("/Users/a", "Library", "Jupyter"));
  expect(userDataDirectory("win32", { APPDATA: "C:/a" }, "C:/u")).toBe(join("C:/a", "jupyter"));
  expect(userDataDirectory("linux", { JUPYTER_DATA_DIR: "/j" }, "/home/a")).toBe("/j");
  expect(kernelsDirectory({ prefix: "/p" })).toBe(join("/p", "share", "jupyter", "kernels"));
});
