// The sides of a comparison in turns, in one process, so that a busy machine is as busy for each. Prints a line for each row.
import { ROWS } from "./tasks.mjs";

export const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const quick = process.env.BENCH_QUICK === "1";
const rounds = quick ? 5 : 15;
const BUDGET_MS = quick ? 1500 : 6000;
const wanted = new RegExp(process.env.BENCH_ROWS ?? "");

/**
 * Median seconds of each side's work, row by row.
 * @param sides by name: by task, from its arguments to a function that does it once
 */
export async function measureInTurns(sides) {
  for (const { row, task, args, amount, unit } of ROWS) {
    if (!wanted.test(row)) continue;
    const runs = {};
    for (const [name, work] of Object.entries(sides)) {
      try {
        const run = await work[task]?.(args);
        for (let i = 0; i < 2; i++) await run();
        runs[name] = run;
      } catch (error) {
        say({ problem: `"${row}": ${name}: ${String(error?.message ?? error).slice(0, 300)}` });
      }
    }
    const taken = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
    const until = performance.now() + BUDGET_MS;
    for (let i = 0; i < rounds && (i < 3 || performance.now() < until); i++)
      for (const [name, run] of Object.entries(runs)) {
        const start = performance.now();
        await run();
        taken[name].push((performance.now() - start) / 1000);
      }
    const values = {};
    for (const [name, list] of Object.entries(taken)) {
      const s = list.sort((a, b) => a - b)[list.length >> 1];
      values[name] = unit === "ms" ? amount * s : amount / s;
    }
    say({ row, values });
  }
}
