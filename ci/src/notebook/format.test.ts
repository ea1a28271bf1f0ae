import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { InputError } from "../errors.js";
import { formatNotebook, parseNotebook, readNotebook } from "./format.js";

const folder = mkdtempSync(join(tmpdir(), "mlsys-format-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const minimal = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] };

describe("files that are no notebooks", () => {
  const cases: [string, () => string, string, RegExp][] = [
    ["missing", () => join(folder, "nowhere.ipynb"), "missing", /nowhere\.ipynb: there is no such file/],
    ["empty", () => file("empty.ipynb", ""), "empty", /0 bytes/],
    ["blank", () => file("blank.ipynb", "  \n"), "empty", /is empty/],
    ["not JSON", () => file("text.ipynb", "print(1)"), "not-json", /is not JSON/],
    ["cut off", () => file("cut.ipynb", JSON.stringify(minimal).slice(0, -5)), "not-json", /is not JSON/],
    ["a list", () => file("list.ipynb", "[1]"), "not-a-notebook", /not a Jupyter notebook/],
    ["null", () => file("null.ipynb", "null"), "not-a-notebook", /not a Jupyter notebook/],
    ["format 3", () => file("old.ipynb", '{"nbformat": 3, "worksheets": []}'), "not-a-notebook", /format 3; expected 4/],
    ["a cell without source", () => file("cell.ipynb", JSON.stringify({ ...minimal, cells: [{ cell_type: "code", metadata: {} }] })), "not-a-notebook", /at cells\.0\.source/],
    ["deeply nested", () => file("deep.ipynb", "[".repeat(500_000)), "not-json", /is not JSON/],
  ]; // biome-ignore format: a table
  it.each(cases)("%s", async (_, make, problem, message) => {
    const error = await readNotebook(make()).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InputError);
    expect(error).toMatchObject({ problem, message: expect.stringMatching(message) });
  });

  it("too large: refused unread, by a sparse file of 10 GB", async () => {
    const path = file("huge.ipynb", "x");
    truncateSync(path, 10 * 1024 ** 3);
    await expect(readNotebook(path)).rejects.toMatchObject({
      problem: "too-large",
      message: expect.stringMatching(/10240\.0 MiB is more than the limit of 32\.0 MiB/),
    });
  });

  it("a link or a folder is not read", async () => {
    symlinkSync("/etc/passwd", join(folder, "link.ipynb"));
    mkdirSync(join(folder, "folder.ipynb"));
    for (const name of ["link.ipynb", "folder.ipynb"]) {
      await expect(readNotebook(join(folder, name))).rejects.toMatchObject({ problem: "unreadable" });
    }
  });

  it("any JSON: a notebook or an InputError", () => {
    const like = fc.record(
      {
        nbformat: fc.constantFrom(4, 3, "4"),
        nbformat_minor: fc.anything(),
        metadata: fc.anything(),
        cells: fc.array(fc.anything()),
      },
      { requiredKeys: ["nbformat"] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          like.map((value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? String(v) : v))),
        ),
        (text) => {
          try {
            parseNotebook(text, "x");
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
          }
        },
      ),
    );
  });
});

describe("writing", () => {
  const text = fc.string({ unit: "grapheme" });
  const cells = fc.array(
    fc.record({
      type: fc.constantFrom("code" as const, "markdown" as const, "raw" as const),
      source: text,
      metadata: fc.constant({ a: 1 }),
    }),
  );
  it("what is read is what was written", () => {
    fc.assert(
      fc.property(cells, (list) => {
        const notebook = {
          metadata: {},
          nbformatMinor: 5,
          cells: list.map((cell) => ({ ...cell, outputs: [], executionCount: null })),
        };
        expect(parseNotebook(formatNotebook(notebook), "x")).toEqual(notebook);
      }),
    );
  });
  it("sorts keys, indents by one space, splits sources into lines", () => {
    const notebook = parseNotebook(
      JSON.stringify({
        ...minimal,
        cells: [{ source: "a\nb", metadata: { z: 1, b: 2 }, cell_type: "markdown" }],
      }),
      "x",
    );
    expect(formatNotebook(notebook)).toBe(
      '{\n "cells": [\n  {\n   "cell_type": "markdown",\n   "metadata": {\n    "b": 2,\n    "z": 1\n   },\n   "source": [\n    "a\\n",\n    "b"\n   ]\n  }\n ],\n "metadata": {},\n "nbformat": 4,\n "nbformat_minor": 5\n}\n',
    );
  });
});
