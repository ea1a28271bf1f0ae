/** `jupyter_kernel_test`, the Jupyter project's own conformance suite, and nbclient, run against the installed kernelspec. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installKernelSpec } from "../src/spec/install.js";
import { hostMain } from "../src/spec/spec.js";
import { HOST } from "./kernel.js";
import { pythonWith } from "./python.js";

const environment = pythonWith({
  jupyter_kernel_test: "jupyter_kernel_test==0.7.0",
  ipykernel: "ipykernel",
  nbclient: "nbclient",
});
const reason = "missing" in environment ? ` (skipped: ${environment.missing})` : "";

describe.skipIf("missing" in environment)(`against Python's clients${reason}`, () => {
  const python = "python" in environment ? environment.python : "";
  const directory = mkdtempSync(join(tmpdir(), "conformance-"));
  const env = {
    ...process.env,
    JUPYTER_PATH: join(directory, "share", "jupyter"),
    MLSYS_HISTORY: join(directory, "h.jsonl"),
  };

  beforeAll(() => {
    const spec = installKernelSpec({ prefix: directory });
    // The tests run from source: the spec has to name what was built.
    const file = join(spec, "kernel.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(JSON.stringify(hostMain()), JSON.stringify(HOST)));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it("passes jupyter_kernel_test, with nothing skipped", { timeout: 120_000 }, () => {
    writeFileSync(join(directory, "test_kernel.py"), SUITE);
    const { stderr, status } = spawnSync(python, ["-m", "unittest", "-v", "test_kernel"], {
      cwd: directory,
      env,
      encoding: "utf8",
      timeout: 110_000,
    });
    const skipped = [...stderr.matchAll(/^(test_\w+).*skipped/gm)].map(([, name]) => name);
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/Ran 1[0-9] tests/);
    expect(skipped).toEqual([]);
  });

  it("runs a notebook under nbclient, and reports the failing cell", { timeout: 120_000 }, () => {
    writeFileSync(join(directory, "run.py"), NBCLIENT);
    const out = execFileSync(python, ["run.py"], { cwd: directory, env, encoding: "utf8", timeout: 110_000 });
    expect(JSON.parse(out)).toEqual({
      first: ["execute_result", "3"],
      second: ["stream", "hello\n"],
      failure: ["RangeError", "deliberate"],
      interrupted: "CellTimeoutError",
    });
  });
});

const SUITE = `
import jupyter_kernel_test

class MlsysTests(jupyter_kernel_test.KernelTests):
    kernel_name = "mlsys"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('test')"
    completion_samples = [
        {"text": "consol", "matches": {"console"}},
        {"text": "console.lo", "matches": {"log"}},
        {"text": "[1].ma", "matches": {"map"}},
    ]
    complete_code_samples = ["1", "const a: number = 1", "function f() {}", "\`a\\n\`"]
    incomplete_code_samples = ["function f() {", "const a = \`", "f(1,", "/* open"]
    invalid_code_samples = ["const = 1", "f)", "let x: = 3"]
    code_generate_error = "throw new Error('x')"
    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "[1, 2, 3].map((x) => x * x)", "result": "[ 1, 4, 9 ]"},
        {"code": "const s: string = 'abc'; s.length", "result": "3"},
    ]
    code_display_data = [
        {"code": "display.html('<b>x</b>')", "mime": "text/html"},
        {"code": "display.svg('<svg/>')", "mime": "image/svg+xml"},
        {"code": "display.plotly({ data: [] })", "mime": "application/vnd.plotly.v1+json"},
    ]
    code_history_pattern = "1 + 2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "console.log"
    code_clear_output = "display.clear()"
    code_page_something = '(globalThis as any)[Symbol.for("Jupyter.payload")]({ source: "page", data: { "text/plain": "a page" }, start: 0 })'
`;

const NBCLIENT = `
import json
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

def notebook(*cells):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nb.metadata.kernelspec = {"name": "mlsys", "display_name": "x", "language": "typescript"}
    return nb

out = {}
nb = notebook("1 + 2", "console.log('hello')")
NotebookClient(nb, timeout=30).execute()
a, b = nb.cells[0].outputs[0], nb.cells[1].outputs[0]
out["first"] = [a.output_type, a.data["text/plain"]]
out["second"] = [b.output_type, b.text]
try:
    NotebookClient(notebook("throw new RangeError('deliberate')"), timeout=30).execute()
except CellExecutionError as error:
    out["failure"] = [error.ename, error.evalue]
try:
    NotebookClient(notebook("while (true) {}"), timeout=3, interrupt_on_timeout=False).execute()
except CellTimeoutError as error:
    out["interrupted"] = type(error).__name__
print(json.dumps(out))
`;
