/** "A day's work in one hour": thousands of cells, and no process or thread of the kernel grows with their number. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { startKernel, type TestKernel, text } from "./kernel.js";

const CELLS = Number(process.env.MEMORY_CELLS ?? 5_000);
const EARLY = Math.floor(CELLS / 5);
/** What a process or thread may grow by between the early cell and the last one, in bytes. */
const ALLOWED = 8e6;

const PROBE = fileURLToPath(new URL("./memory-probe.cjs", import.meta.url));

interface Left {
  asked: number;
  heapUsed: number;
  external: number;
  rss: number;
}

/** What people do in a notebook: they declare and run again, print, show, fail, look things up, and interrupt. */
async function work({ client }: TestKernel, cell: number): Promise<void> {
  const again = cell % 40;
  const cells = [
    `const data${again} = Array.from({ length: 200 }, (_, i) => ({ i, square: i ** 2, text: "row " + i })); data${again}.length`,
    `interface Shape${again} { kind: string; area(): number }\nclass Circle${again} implements Shape${again} { kind = "circle"; constructor(readonly r: number) {} area() { return Math.PI * this.r ** 2 } }\nnew Circle${again}(${cell}).area()`,
    `function f${again}<T>(values: readonly T[]): T | undefined { return values[${cell} % 3] }\nf${again}([${cell}, 2, 3])`,
    `import { join } from "node:path";\nconsole.log(join("a", "${cell}")); for (let i = 0; i < 20; i++) console.log("line", i)`,
    `enum Level${again} { Low, High }\ndisplay({ level: Level${again}.High, cell: ${cell} })`,
    `let total${again}: number = 0; for (const x of [1, 2, 3]) total${again} += x * ${cell};\nawait new Promise((resolve) => setTimeout(resolve, 1)); total${again}`,
    `display.html("<b>${cell}</b>", { id: "shown" }); [{ a: ${cell}, b: "x" }]`,
    `throw new Error("cell ${cell}")`,
    `const typo: number = "cell ${cell}"`,
    `void Promise.resolve().then(() => console.log("late", ${cell})); "text ${cell}".repeat(50)`,
  ];
  await client.execute(cells[cell % cells.length]!);
  if (cell % 10 === 0)
    await client.request("complete_request", { code: `data0.fi${cell % 7}`, cursor_pos: 8 });
  if (cell % 25 === 0)
    await client.request("inspect_request", { code: "f0", cursor_pos: 2, detail_level: 1 });
  if (cell % 50 === 0) await client.request("history_request", { hist_access_type: "tail", n: 5 });
  if (cell % 100 === 0) {
    const waiting = client.execute("await new Promise(() => { setInterval(() => {}, 1e6) })");
    await new Promise((resolve) => setTimeout(resolve, 50));
    await client.interrupt();
    await waiting;
  }
}

it(`${CELLS} cells leave every heap as it was after ${EARLY}`, { timeout: 1_800_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "memory-"));
  const kernel = await startKernel({
    env: { NODE_OPTIONS: `--require=${PROBE}`, MEMORY_PROBE: directory },
  });
  try {
    const worker = String(text(await kernel.client.execute("process.pid")));
    const early = await run(1, EARLY);
    const late = await run(EARLY + 1, CELLS);
    expect(Object.keys(late).sort()).toEqual(Object.keys(early).sort());
    // Host, its type checker's thread, and the worker.
    expect(Object.keys(late)).toContain(`${worker}.json`);
    expect(Object.keys(late).length).toBeGreaterThanOrEqual(3);
    for (const [name, { heapUsed, external }] of Object.entries(late)) {
      const grown = heapUsed + external - early[name]!.heapUsed - early[name]!.external;
      expect(grown, `${name}: ${JSON.stringify([early[name], late[name]])}`).toBeLessThan(ALLOWED);
    }
  } finally {
    await kernel.stop();
    rmSync(directory, { recursive: true });
  }

  async function run(from: number, to: number): Promise<Record<string, Left>> {
    for (let cell = from; cell <= to; cell++) {
      await work(kernel, cell);
      if (process.env.MEMORY_VERBOSE && cell % 250 === 0) console.log(cell, JSON.stringify(await measure()));
    }
    return measure();
  }

  /** Asks every process and thread, and waits until all that ever answered have. */
  async function measure(): Promise<Record<string, Left>> {
    const before = answers();
    writeFileSync(join(directory, "ask"), "");
    const asked = statSync(join(directory, "ask")).mtimeMs;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const now = answers();
      const all = Object.keys(before).every((name) => now[name]!.asked === asked);
      if (all && Object.keys(now).length >= 3) return now;
    }
  }

  function answers(): Record<string, Left> {
    const files = readdirSync(directory).filter((name) => name.endsWith(".json"));
    return Object.fromEntries(
      files.flatMap((name) => {
        try {
          return [[name, JSON.parse(readFileSync(join(directory, name), "utf8")) as Left]];
        } catch {
          return []; // It is being written.
        }
      }),
    );
  }
});
