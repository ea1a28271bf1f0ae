/** Clients that people use, driven as their users do: papermill, nbconvert, jupyter console. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installKernelSpec } from "../src/spec/install.js";
import { hostMain } from "../src/spec/spec.js";
import { HOST } from "./kernel.js";
import { pythonWith } from "./python.js";

const environment = pythonWith({
  ipykernel: "ipykernel",
  papermill: "papermill",
  nbconvert: "nbconvert",
  jupyter_console: "jupyter_console",
  pexpect: "pexpect",
});
const reason = "missing" in environment ? ` (skipped: ${environment.missing})` : "";

describe.skipIf("missing" in environment)(`clients${reason}`, { timeout: 120_000 }, () => {
  const python = "python" in environment ? environment.python : "";
  const directory = mkdtempSync(join(tmpdir(), "clients-"));
  const env = {
    ...process.env,
    JUPYTER_PATH: join(directory, "share", "jupyter"),
    MLSYS_HISTORY: join(directory, "h.jsonl"),
    TERM: "dumb",
  };

  beforeAll(() => {
    const spec = installKernelSpec({ prefix: directory });
    const file = join(spec, "kernel.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(JSON.stringify(hostMain()), JSON.stringify(HOST)));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** Runs python in the notebook's folder. */
  function run(...args: string[]): Promise<{ status: number | null; output: string }> {
    return new Promise((resolve) => {
      const child = spawn(python, args, {
        cwd: directory,
        env,
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 110_000,
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => {
          output += String(chunk);
        });
      child.on("close", (status) => resolve({ status, output }));
    });
  }

  const cell = (source: string, tags: string[] = []) => ({
    cell_type: "code",
    id: source.replace(/\W/g, "").slice(0, 20) || "x",
    metadata: tags.length > 0 ? { tags } : {},
    execution_count: null,
    outputs: [],
    source,
  });
  const notebook = (name: string, cells: object[]) =>
    writeFileSync(
      join(directory, name),
      JSON.stringify({
        nbformat: 4,
        nbformat_minor: 5,
        metadata: { kernelspec: { name: "mlsys", display_name: "TypeScript", language: "typescript" } },
        cells,
      }),
    );
  /** Of each code cell the texts that it shows. */
  const outputs = (name: string) => {
    type Output = { text?: string | string[]; data?: Record<string, string | string[]>; ename?: string };
    const { cells } = JSON.parse(readFileSync(join(directory, name), "utf8")) as {
      cells: { outputs?: Output[] }[];
    };
    const shown = ({ text, data, ename }: Output) => ename ?? [text ?? data?.["text/plain"]].flat().join("");
    return cells.flatMap((one) => (one.outputs ? [one.outputs.map(shown)] : []));
  };

  it("papermill runs a notebook and stops at the failing cell", async () => {
    notebook("in.ipynb", [
      cell("const x: number = 20; x * 2"),
      cell("for (let i = 0; i < 3; i++) { console.log(i); await new Promise((r) => setTimeout(r, 10)); }"),
      cell('throw new RangeError("deliberate")'),
      cell('"not reached"'),
    ]);
    const { status, output } = await run(
      "-m",
      "papermill",
      "in.ipynb",
      "out.ipynb",
      "-k",
      "mlsys",
      "--no-progress-bar",
    );
    expect(status, output).not.toBe(0);
    expect(output).toContain("RangeError");
    // papermill puts cells of its own about the failure among them.
    const shown = outputs("out.ipynb").map((texts) => texts.join("|"));
    expect(shown).toContain("40");
    expect(shown.join("\n")).toMatch(/0\n.*1\n.*2\n/s);
    expect(shown).toContain("RangeError");
    expect(shown.at(-1)).toBe("");
  });

  it("nbconvert --execute writes results, and goes on after errors where it is told to", async () => {
    notebook("page.ipynb", [
      cell("6 * 7"),
      cell('throw new Error("shown")'),
      cell('display.html("<i>after</i>")'),
    ]);
    const { status, output } = await run(
      ...["-m", "nbconvert", "--execute", "--allow-errors", "--to", "notebook", "--output", "done.ipynb"],
      "page.ipynb",
    );
    expect(status, output).toBe(0);
    expect(outputs("done.ipynb")).toEqual([["42"], ["Error"], ["[text/html]"]]);
    const script = await run("-m", "nbconvert", "--to", "script", "done.ipynb");
    expect(script.status, script.output).toBe(0);
    expect(readFileSync(join(directory, "done.ts"), "utf8")).toContain("6 * 7");
  });

  it("jupyter console: results, errors, questions, an interrupt, history and the end", async () => {
    writeFileSync(join(directory, "console.py"), CONSOLE);
    const { status, output } = await run("console.py");
    expect(status, output).toBe(0);
    expect(output).toContain("console done");
  });
});

const CONSOLE = `
import os, sys, pexpect

child = pexpect.spawn(
    sys.executable,
    ["-m", "jupyter_console", "--kernel", "mlsys", "--simple-prompt", "--ZMQTerminalInteractiveShell.kernel_timeout=60"],
    encoding="utf8", timeout=60, dimensions=(40, 160),
)
child.logfile_read = sys.stdout

def prompt(count):
    child.expect(r"In \\[%d\\]:" % count)

child.expect("TypeScript .mlsys")
prompt(1)
child.sendline("const x: number = 6; x * 7")
child.expect(r"Out\\[1\\]: 42")
prompt(2)
child.sendline("console.log('pri' + 'nted'); throw new RangeError('deliberate')")
child.expect("printed")
child.expect("RangeError: deliberate")
prompt(3)
child.sendline("prompt('your name? ')")
child.expect("your name[?]")
child.expect("your name[?]")
child.sendline("Ada")
child.expect("'Ada'")
prompt(4)
child.sendline("console.log('loop' + 'ing'); while (true) {}")
child.expect("looping")
child.sendintr()
child.expect("Interrupted")
prompt(5)
child.sendline("x")
child.expect(r"Out\\[5\\]: 6")
prompt(6)
child.sendeof()
child.expect("(Do you really want to exit|Shutting down kernel|keeping kernel alive)")
child.sendline("y")
child.expect(pexpect.EOF)
print("console done")
`;
