/**
 * Redeclaration and shadowing beside npm's tslab: the same cells in both kernels, the same outcome of each, except where
 * tslab is wrong. Those cases are data, with the reason.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ExecuteResult, KernelClient } from "../src/client/client.js";
import { type KernelProcess, launchKernel } from "../src/client/launch.js";
import { startKernel, type TestKernel } from "./kernel.js";
import { tslabKernel } from "./tslab-peer.js";

const peer = tslabKernel();
const missing = "missing" in peer ? peer.missing : undefined;

/** Ways to declare the name N, and what there is to see of it. */
const DECLARATIONS: Record<string, [declare: string, show: string]> = {
  let: ["let N = 1", "N"],
  const: ["const N = 'const'", "N"],
  var: ["var N = [1, 2]", "N"],
  function: ["function N() { return 'called' }", "N()"],
  class: ["class N { field = 2 }", "new N().field"],
  enum: ["enum N { A = 3 }", "N.A"],
  namespace: ["namespace N { export const inner = 4 }", "N.inner"],
  "type and const": ["type N = number; const N: N = 6", "N"],
  interface: ["interface N { x: number }", "({ x: 7 } as N).x"],
  destructuring: ["const { N } = { N: 8 }", "N"],
  "array pattern": ["let [N, ...restN] = [9, 10]", "[N, restN]"],
  await: ["const N = await Promise.resolve(11)", "N"],
  import: ["import { sep as N } from 'path'", "N"],
  "import *": ["import * as N from 'path'", "N.sep"],
  "import default": ["import N from 'path'", "N.sep"],
};

/** Cells in order; the last one prints what there is to see. */
const SHADOWING: Record<string, string[]> = {
  "a function sees the new value of its own cell's variable": [
    "let N = 1; function fN() { return N }",
    "N = 2",
    "console.log(fN(), N)",
  ],
  "a function of another cell sees the new value": [
    "let N = 1",
    "const fN = () => N",
    "N = 5",
    "console.log(fN())",
  ],
  "a type is declared again, a value of the old type stays": [
    "class N { a = 1 }",
    "const oldN = new N()",
    "class N { b = 2 }",
    "console.log(oldN.a, new N().b)",
  ],
  "a global of Node is shadowed": [
    "const N = typeof process",
    "let process = 'mine'",
    "console.log(process)",
  ],
  "a variable of a block stays in it": ["let N = 1", "{ let N = 2; const inBlockN = N }", "console.log(N)"],
  "var of a block is the session's": ["{ var N = 3 }", "console.log(N)"],
  "a loop's variable stays in the loop": [
    "let N = 'kept'",
    "for (let N = 0; N < 3; N++) {}",
    "console.log(N)",
  ],
  "an imported name is declared again": [
    "import { join as N } from 'path'",
    "const N = 12",
    "console.log(N)",
  ],
  "declared without a value": [
    "let N: number | undefined = 1",
    "let N: number | undefined",
    "console.log(N)",
  ],
  "an interface of the same name as a value": [
    "const N = 1",
    "interface N { q: string }",
    "const vN: N = { q: 'q' }",
    "console.log(vN.q)",
  ],
  "a cell that fails its check declares nothing": ["const N = 1", "const N: number = 'x'", "console.log(N)"],
  "a cell that throws keeps what it had done": [
    "let N = 1",
    "N = 2; throw new Error('x'); ",
    "console.log(N)",
  ],
  "a declaration before the error of its cell": [
    "const N = 13; throw new Error('x')",
    "console.log(typeof N)",
  ],
  "hoisting in a cell": ["console.log(hN()); function hN() { return 'hoisted' }"],
  "assignment to a constant": ["const N = 1", "N = 2", "console.log(N)"],
  "an unknown name": ["console.log(unknownN)"],
  "delete and typeof": ["let N = { a: 1 } as { a?: number }", "delete N.a", "console.log(typeof N, N.a)"],
  "this at the top level": ["console.log(typeof this)"],
  "labels, generators and closures over a loop": [
    "const allN: (() => number)[] = []; for (let i = 0; i < 3; i++) allN.push(() => i)",
    "console.log(allN.map((f) => f()))",
  ],
};

/** Where tslab is wrong, and ours is right. */
const TSLAB_IS_WRONG: Record<string, string> = {
  "a type is declared again, a value of the old type stays":
    "it gives the old value the new type, and refuses what the old one has",
  "a function sees the new value of its own cell's variable":
    "the function keeps a copy that later cells do not change, while functions of other cells see the change",
  "a declaration before the error of its cell": "the name has its value, and the check does not know it",
  "var of a block is the session's": "in JavaScript `var` belongs to the function, or to the whole program",
};

interface Outcome {
  statuses: string[];
  printed: string;
}

async function outcome(client: KernelClient, cells: readonly string[], name: string): Promise<Outcome> {
  const statuses: string[] = [];
  let printed = "";
  for (const [index, cell] of cells.entries()) {
    const code = cell.replaceAll(/\bN\b|(?<=[a-z])N\b/g, name);
    const result = await answered(client, code);
    statuses.push(String(result.reply.status));
    if (index === cells.length - 1) printed = result.stdout;
  }
  // tslab writes errors to stdout too where the check fails; only the status counts there.
  return { statuses, printed: statuses.at(-1) === "ok" ? printed : "" };
}

async function answered(client: KernelClient, code: string): Promise<ExecuteResult> {
  const run = () => client.execute(code, { stopOnError: false, timeoutMs: 20_000 });
  let result = await run();
  // For some time after an error tslab refuses what comes, whatever `stop_on_error` says.
  for (; result.reply.status === "abort"; result = await run()) await sleep(200);
  return result;
}

describe.skipIf(missing)(
  `beside tslab${missing ? ` (skipped: ${missing})` : ""}`,
  { timeout: 90_000 },
  () => {
    let ours: TestKernel;
    let theirs: { client: KernelClient; process: KernelProcess };
    const directory = mkdtempSync(join(tmpdir(), "tslab-"));
    let count = 0;

    beforeAll(async () => {
      ours = await startKernel();
      await ours.client.execute('import "tslab";');
      const kernel = await launchKernel(
        { argv: (peer as { argv: string[] }).argv },
        { cwd: directory, transport: "tcp" },
      );
      theirs = { client: await KernelClient.connect(kernel.connection), process: kernel };
    }, 120_000);
    afterAll(async () => {
      theirs?.client.close();
      await theirs?.process.kill();
      await ours?.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    async function compare(title: string, cells: readonly string[]): Promise<void> {
      const name = `n${++count}`;
      const mine = await outcome(ours.client, cells, name);
      // tslab loses the message that says it is idle when its socket is busy: then it is asked again, under a fresh name.
      const ask = (again: string) => outcome(theirs.client, cells, `${name}${again}`);
      const oracle = await ask("")
        .catch(() => ask("b"))
        .catch(() => ask("c"));
      if (title in TSLAB_IS_WRONG) expect(mine).not.toEqual(oracle);
      else expect(mine).toEqual(oracle);
    }

    const kinds = Object.keys(DECLARATIONS);
    it.each(kinds.flatMap((first) => kinds.map((second) => [first, second] as const)))(
      "%s, then %s",
      async (first, second) => {
        const [declare, show] = DECLARATIONS[second]!;
        await compare(`${first}, then ${second}`, [DECLARATIONS[first]![0], declare, `console.log(${show})`]);
      },
    );

    it.each(Object.entries(SHADOWING))("%s", compare);
  },
);
