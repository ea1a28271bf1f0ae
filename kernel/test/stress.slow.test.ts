/** Interrupts at random moments of cells of every kind: nothing may hang, and no variable may be lost. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startKernel, type TestKernel, text } from "./kernel.js";

const INTERRUPTS = Number(process.env.STRESS_INTERRUPTS ?? 200);
const SEED = Number(process.env.STRESS_SEED ?? 1);

/** What a stress cell does, for longer than it is let. */
const CELLS = [
  "while (true) kept.count++",
  "await 0; while (true) kept.count++",
  "for (;;) { await null; kept.count++ }",
  "for (;;) { await new Promise((r) => setTimeout(r, 1)); kept.count++ }",
  "for (;;) { await new Promise((r) => setImmediate(r)); kept.count++ }",
  "while (true) { try { while (true) kept.count++ } catch {} finally { continue } }",
  "for (;;) console.log(kept.count++)",
  "for (;;) { console.log(kept.count++); await new Promise((r) => setTimeout(r)) }",
  "for (;;) display(kept.count++)",
  '/(a+)+b/.test("a".repeat(40))',
  "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
  "await new Promise(() => {})",
  "setTimeout(() => { while (true) kept.count++ }, 5); await new Promise((r) => setTimeout(r, 1e8))",
  "const ticks = setInterval(() => { kept.count++ }, 0); await new Promise((r) => setTimeout(r, 1e8))",
  "const spin = (): Promise<void> => Promise.resolve().then(spin); await spin()",
  "process.nextTick(() => { while (true) kept.count++ }); await new Promise(() => {})",
  "for (;;) { await new Promise<void>((r) => process.nextTick(r)); kept.count++ }",
  "for (;;) { const junk = Array.from({ length: 1e4 }, (_, i) => ({ i })); kept.count += junk.length }",
  "for (;;) { await fs.readFile(process.execPath.slice(0, 1) + 'etc/passwd', 'utf8'); kept.count++ }",
  "for (;;) await fetch('data:,x').then((reply) => reply.text())",
  'cp.execSync("sleep 30")',
  "for (;;) JSON.parse(JSON.stringify({ a: [1, 2, 3], b: 'x'.repeat(1000) }))",
  "class Odd { get [Symbol.toStringTag]() { while (true); return '' } } new Odd()",
  "1 + 1",
] as const;

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
  await kernel.client.execute(
    'import * as cp from "node:child_process"; import fs from "node:fs/promises"; const kept = { count: 0, secret: 42 };',
  );
});
afterAll(() => kernel.stop());

/** A small seeded generator (mulberry32), so that a failure can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

it(`${INTERRUPTS} interrupts at random moments: each cell ends, each idle comes, every variable stays`, {
  timeout: 600_000,
}, async () => {
  const next = random(SEED);
  const worker = text(await kernel.client.execute("process.pid"));
  const slow: string[] = [];
  /** What the kernel says when its worker ends beside a cell. */
  const lost: string[] = [];
  kernel.client.onMessage(({ header, content }) => {
    if (header.msg_type === "stream" && content.name === "stderr") lost.push(String(content.text));
  });
  for (let count = 0; count < INTERRUPTS; count++) {
    const code = CELLS[Math.floor(next() * CELLS.length)]!;
    const wait = next() < 0.2 ? next() * 3 : next() * 80;
    const what = `interrupt ${count} (seed ${SEED}), ${wait.toFixed(1)} ms into ${code}`;
    const cell = kernel.client.execute(code, { timeoutMs: 20_000 });
    const twice = next() < 0.2;
    await new Promise((resolve) => setTimeout(resolve, wait));
    const start = performance.now();
    await Promise.all([kernel.client.interrupt(), ...(twice ? [kernel.client.interrupt()] : [])]);
    const unanswered = (error: Error): never => {
      throw new Error(`${what}: ${error.message}\n${kernel.log()}`);
    };
    const { reply } = await cell.catch(unanswered);
    slow.push(`${(performance.now() - start).toFixed(0).padStart(5)} ms: ${what}`);
    if (code !== "1 + 1") expect(reply.ename, `${what}: ${JSON.stringify(reply)}`).toBe("Interrupted");
    const kept = await kernel.client.execute("kept.secret", { timeoutMs: 20_000 }).catch(unanswered);
    expect(text(kept), `${what}: ${JSON.stringify(kept.reply)}${kept.stderr}${lost.join("")}`).toBe("42");
  }
  expect(text(await kernel.client.execute("process.pid"))).toBe(worker);
  if (process.env.STRESS_VERBOSE) console.log(slow.sort().reverse().slice(0, 15).join("\n"));
});
