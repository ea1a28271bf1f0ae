import { type Magic, UsageError } from "./magic.js";
import { duration } from "./time.js";

const DEFAULT_REPEAT = 7;
/** Each repetition runs at least so long, so that the clock's step does not count. */
const MIN_MS = 50;
const MAX_LOOPS = 1e9;

export const timeit: Magic = {
  name: "timeit",
  usage: ["%timeit [-n LOOPS] [-r REPEAT] CODE", "%%timeit [-n LOOPS] [-r REPEAT]"],
  summary:
    "runs the code, or the cell, again and again in a function of its own, and tells the mean time of a run",
  form: "both",
  takes: "code",
  options: /^(?:\s*-[nr]\s*\d+(?=\s|$))*/,
  run: async ({ args, code, print }) => {
    const repeat = option(args, "r") ?? DEFAULT_REPEAT;
    const once = code!;
    const loops = option(args, "n") ?? (await enough(once));
    const times: number[] = [];
    for (let i = 0; i < repeat; i++) times.push((await measure(once, loops)) / loops);
    const mean = times.reduce((sum, time) => sum + time, 0) / repeat;
    const deviation = Math.sqrt(times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / repeat);
    const count = loops.toLocaleString("en-US");
    print(
      `${duration(mean)} ± ${duration(deviation)} per run (mean ± standard deviation of ${repeat} repetitions of ${count} run${loops === 1 ? "" : "s"}; best ${duration(Math.min(...times))})\n`,
    );
  },
};

function option(args: string, letter: string): number | undefined {
  const found = new RegExp(`-${letter}\\s*(\\d+)`).exec(args);
  if (!found) return undefined;
  if (Number(found[1]) < 1) throw new UsageError(`%timeit: -${letter} takes a number of at least 1.`);
  return Number(found[1]);
}

/** How many runs fill the least time: 1, 2, 5, 10, 20, … */
async function enough(code: () => unknown): Promise<number> {
  for (let power = 1; ; power *= 10)
    for (const step of [1, 2, 5]) {
      const loops = power * step;
      if (loops >= MAX_LOOPS || (await measure(code, loops)) >= MIN_MS) return loops;
    }
}

/** Milliseconds of `loops` runs. Code that awaits is awaited each time. */
async function measure(code: () => unknown, loops: number): Promise<number> {
  const start = performance.now();
  const first = code();
  if (first instanceof Promise) {
    await first;
    for (let i = 1; i < loops; i++) await code();
  } else for (let i = 1; i < loops; i++) code();
  return performance.now() - start;
}
