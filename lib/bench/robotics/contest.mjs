// One task, several contenders in turn: each answers once, the answers are compared, and only then times are taken.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
export const short = (value) => Number(value.toPrecision(4));

/** Seconds that a contender's rounds of one task may take together; its answer counts as a round if it took them already. */
const BUDGET = { quick: 2, full: 10 };
const MOST_ROUNDS = { quick: 15, full: 50 };

/** The peers in Python: one process, one thread of linear algebra, asked one thing at a time. */
export class Peers {
  constructor(python) {
    const one = { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };
    this.child = spawn(python, [fileURLToPath(new URL("peers.py", import.meta.url))], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...one },
    });
    this.errors = "";
    this.child.stderr.on("data", (chunk) => {
      this.errors = (this.errors + chunk).slice(-4000);
    });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request) {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`the peers ended: ${this.errors.trim().split("\n").at(-1)}`);
    const answer = JSON.parse(value);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  async end() {
    this.child.stdin.end();
    if (this.child.exitCode === null) await once(this.child, "exit");
  }
}

/**
 * A row of one task.
 * @param task { name, unit, better, per, data, ours, check }: `ours` a function that solves it and gives its answer; `data` what
 * the peers' module of that name is set up with; `check(answer, name)` throws where an answer is wrong; `amount` what an answer
 * holds: a time is divided by it, or with better "higher" it is divided by the time.
 */
export async function contest(
  peers,
  { task, name, unit, better = "lower", data, ours, check, amount },
  quick,
) {
  const mode = quick ? "quick" : "full";
  console.log(`measuring ${name}`);
  const notes = [];
  const contenders = [{ side: "ours", name: "mlsys", run: () => timed(ours) }];
  if (peers && task) {
    const { contenders: found } = await peers.ask({ set: task, data });
    for (const peer of found)
      contenders.push({ side: "peers", name: peer, run: () => peers.ask({ run: peer }) });
  }
  const measured = [];
  for (const one of contenders) {
    try {
      const first = await one.run();
      check?.(first.answer, one.name);
      const each = amount ?? ((answer) => answer.amount ?? 1);
      measured.push({ ...one, each, times: [], spent: first.seconds, first });
    } catch (error) {
      if (one.side === "ours") throw error;
      notes.push(`${one.name}: ${name} not measured, ${error.message}`);
    }
  }
  for (const one of measured)
    if (one.spent > BUDGET[mode]) one.times.push(one.first.seconds / one.each(one.first.answer));
  for (let round = 0; round < MOST_ROUNDS[mode]; round++)
    for (const one of measured) {
      if (one.spent > BUDGET[mode]) continue;
      const { seconds, answer } = await one.run();
      one.spent += seconds;
      one.times.push(seconds / one.each(answer));
    }
  const scale = { s: 1, ms: 1e3, µs: 1e6 }[unit];
  const row = { name, unit, better, ours: {}, peers: {} };
  for (const { side, name: who, times } of measured)
    row[side][who] = short(better === "higher" ? 1 / median(times) : median(times) * scale);
  return { rows: [row], notes };
}

async function timed(work) {
  const start = performance.now();
  const answer = await work();
  return { seconds: (performance.now() - start) / 1000, answer };
}

/** @throws Error unless two numbers agree so far */
export function agree(what, found, wanted, tolerance) {
  if (!(Math.abs(found - wanted) <= tolerance * Math.max(1, Math.abs(wanted))))
    throw new Error(`${what} is ${found}, not ${wanted}`);
}
