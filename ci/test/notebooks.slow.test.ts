/**
 * Every chapter from a clean kernel, top to bottom, under nbclient: no error, in time, and with outputs stored in the
 * file for each cell that gives any.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jupyter, venvPython } from "../scripts/setup.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = join(ROOT, "notebooks");
/** A chapter is read with the hand on Shift+Enter: longer than this and it is a batch job. */
const LIMIT_SECONDS = 180;

interface RunCell {
  /** Position in the notebook, from 1. */
  cell: number;
  /** MIME types and stream names, in order and each once. */
  stored: string[];
  fresh: string[];
  error: string | null;
  ran: boolean;
}
interface Run {
  seconds: number;
  /** Why it did not come to its end, in one line. */
  stopped: string | null;
  cells: RunCell[];
}

const names = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith(".ipynb")) : [];
const scratch = mkdtempSync(join(tmpdir(), "mlsys-notebooks-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Executes a copy in memory; the file stays as it is. */
async function execute(path: string): Promise<Run> {
  const { stdout } = await promisify(execFile)(venvPython, ["-c", PROGRAM, path, String(LIMIT_SECONDS)], {
    cwd: FOLDER,
    maxBuffer: 1 << 28,
    env: { ...process.env, MLSYS_HISTORY: join(scratch, "history.jsonl") },
  });
  return JSON.parse(stdout);
}

describe("chapters", () => {
  beforeAll(() => jupyter(), 300_000);

  it("are there", () => {
    expect(names.length).toBeGreaterThan(0);
  });

  for (const name of names) {
    it(name, { timeout: (LIMIT_SECONDS + 60) * 1000 }, async () => {
      const run = await execute(join(FOLDER, name));
      expect(run.cells.flatMap(({ cell, error }) => (error ? [`cell ${cell}: ${error}`] : []))).toEqual([]);
      expect(run.stopped, `after ${Math.round(run.seconds)} s`).toBeNull();
      expect(run.cells.filter(({ ran }) => !ran)).toEqual([]);
      const missing = run.cells.filter(({ stored, fresh }) => fresh.some((kind) => !stored.includes(kind)));
      expect(missing, "cells whose stored outputs lack what they show now").toEqual([]);
    });
  }
});

const PROGRAM = `
import asyncio, copy, json, sys, time
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

path, limit = sys.argv[1], float(sys.argv[2])
stored = nbformat.read(path, 4)
fresh = copy.deepcopy(stored)
for cell in fresh.cells:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None

def kinds(cell):
    names = []
    for output in cell.outputs:
        names += [output.name] if output.output_type == "stream" else list(output.get("data", {}))
    return list(dict.fromkeys(names))

client = NotebookClient(fresh, timeout=limit, resources={"metadata": {"path": "."}})
started = time.monotonic()
stopped = None
async def run():
    await asyncio.wait_for(client.async_execute(), limit)
try:
    asyncio.run(run())
except CellExecutionError as problem:
    stopped = problem.ename + ": " + problem.evalue
except (asyncio.TimeoutError, TimeoutError):
    stopped = "longer than %d s" % limit
cells = []
for number, (old, new) in enumerate(zip(stored.cells, fresh.cells), 1):
    if new.cell_type == "code":
        problem = next((o.ename + ": " + o.evalue for o in new.outputs if o.output_type == "error"), None)
        cells.append(dict(cell=number, stored=kinds(old), fresh=kinds(new), error=problem,
                          ran=not new.source.strip() or new.execution_count is not None))
print(json.dumps(dict(seconds=time.monotonic() - started, stopped=stopped, cells=cells)))
`;
