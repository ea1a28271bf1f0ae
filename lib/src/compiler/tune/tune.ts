/**
 * Search for a fast schedule: random annotations of sketches, evolved under a cost model that learns from the
 * measurements (Ansor). The best one is kept on disk; a search can be interrupted, and tells how it goes.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { threadId } from "node:worker_threads";
import { ValueError } from "../../core/errors.js";
import { cacheLimit, touch, trimFolder } from "../../runtime/native/disk-cache.js";
import { cacheFolder } from "../../runtime/native/toolchain.js";
import { getNumThreads } from "../../runtime/pool/pool.js";
import { Dice } from "../dice.js";
import { LoopError, type LoopKernel } from "../loop/ir.js";
import { printKernel } from "../loop/print.js";
import { type Step, scheduled } from "../schedule/schedule.js";
import { BoostedTrees } from "./boosting.js";
import { featuresOf } from "./features.js";
import { compileFor, type MeasureOptions, measureProgram } from "./measure.js";
import { type Sketch, sketchesOf } from "./sketch.js";

export interface TuneOptions extends MeasureOptions {
  readonly target?: "wasm" | "c";
  /** Schedules to measure. */
  readonly trials?: number;
  readonly seed?: number;
  /** Called after each measurement. */
  readonly onProgress?: (progress: TuneProgress) => void;
  /** Ends the search early; what was found so far is the result. */
  readonly signal?: AbortSignal;
  /** False: neither reads nor writes the cache on disk. */
  readonly cache?: boolean;
  /** Default: the kernel's own (`sketchesOf`). */
  readonly sketches?: readonly Sketch[];
}

export interface TuneProgress {
  readonly trial: number;
  readonly trials: number;
  /** Of this schedule. */
  readonly seconds: number;
  readonly best: number;
  /** What the cost model had expected, if it had learned anything. */
  readonly predicted: number | null;
  readonly sketch: string;
  readonly numbers: Readonly<Record<string, number>>;
}

export interface Tuned {
  readonly steps: readonly Step[];
  readonly kernel: LoopKernel;
  /** Of one run. */
  readonly seconds: number;
  readonly history: readonly TuneProgress[];
  readonly fromCache: boolean;
}

interface Candidate {
  readonly sketch: Sketch;
  readonly numbers: Readonly<Record<string, number>>;
  readonly steps: readonly Step[];
  readonly kernel: LoopKernel;
  readonly features: readonly number[];
}

const POPULATION = 48;
const GENERATIONS = 3;
const BATCH = 8;
/** Share of each batch that is random, so that the model sees what it does not like. */
const EXPLORE = 0.2;

/**
 * The fastest schedule found.
 * @throws ValueError if no schedule of the kernel's sketches applies.
 * @example (await tune(loop.matmul(16, 16, 16), { trials: 2, repeats: 1, warmUp: 0, cache: false })).history.length // 2
 */
export async function tune(kernel: LoopKernel, options: TuneOptions = {}): Promise<Tuned> {
  const { target = "wasm", trials = 64, seed = 0, signal, onProgress, cache = true } = options;
  const file = cache ? cacheFile(kernel, target, options.sizes) : null;
  const stored = file ? readTuned(file, kernel) : null;
  if (stored) return stored;
  const dice = new Dice(seed);
  const sketches = options.sketches ?? sketchesOf(kernel);
  const history: TuneProgress[] = [];
  const measured = new Map<string, { candidate: Candidate; seconds: number }>();
  const model = new BoostedTrees();
  let best: { candidate: Candidate; seconds: number } | null = null;
  while (history.length < trials && !signal?.aborted) {
    const learned = measured.size >= BATCH;
    if (learned) {
      const all = [...measured.values()];
      model.fit(
        all.map((m) => m.candidate.features),
        all.map((m) => Math.log2(m.seconds)),
      );
    }
    const parents = [...measured.values()].sort((a, b) => a.seconds - b.seconds).slice(0, BATCH);
    const batch = learned
      ? evolve(
          kernel,
          sketches,
          parents.map((p) => p.candidate),
          model,
          dice,
          measured,
        )
      : sample(kernel, sketches, dice, BATCH, measured);
    if (batch.length === 0) break; // everything was measured
    for (const candidate of batch.slice(0, trials - history.length)) {
      if (signal?.aborted) break;
      const seconds = secondsOf(candidate, target, options);
      measured.set(keyOf(candidate), { candidate, seconds });
      if (!best || seconds < best.seconds) best = { candidate, seconds };
      const progress: TuneProgress = {
        trial: history.length + 1,
        trials,
        seconds,
        best: best.seconds,
        predicted: learned ? 2 ** model.predict(candidate.features) : null,
        sketch: candidate.sketch.name,
        numbers: candidate.numbers,
      };
      history.push(progress);
      onProgress?.(progress);
      await new Promise((resolve) => setImmediate(resolve)); // an interrupt, a progress bar
    }
  }
  if (!best) throw new ValueError(`tune: no schedule of "${kernel.name}" was measured`);
  const { candidate, seconds } = best;
  if (file && !signal?.aborted) store(file, candidate.steps, seconds);
  return { steps: candidate.steps, kernel: candidate.kernel, seconds, history, fromCache: false };
}

/** What an earlier search on this machine found; `null` if there was none, or its results cannot be read. */
export function fromCache(
  kernel: LoopKernel,
  target: "wasm" | "c",
  sizes: TuneOptions["sizes"],
): Tuned | null {
  try {
    return readTuned(cacheFile(kernel, target, sizes), kernel);
  } catch {
    return null; // a folder that cannot be made, say
  }
}

/** A schedule that a target cannot take is as slow as can be. */
function secondsOf(candidate: Candidate, target: "wasm" | "c", options: TuneOptions): number {
  try {
    return measureProgram(compileFor(target, candidate.kernel), options);
  } catch (error) {
    if (error instanceof LoopError) return 1e6;
    throw error;
  }
}

const keyOf = ({ sketch, numbers }: Pick<Candidate, "sketch" | "numbers">): string =>
  `${sketch.name} ${JSON.stringify(numbers)}`;

function candidateOf(sketch: Sketch, numbers: Readonly<Record<string, number>>): Candidate | null {
  try {
    const schedule = sketch.build(numbers);
    return {
      sketch,
      numbers,
      steps: schedule.steps,
      kernel: schedule.kernel,
      features: featuresOf(schedule.kernel),
    };
  } catch (error) {
    if (error instanceof LoopError) return null;
    throw error;
  }
}

function randomNumbers(sketch: Sketch, dice: Dice): Record<string, number> {
  return Object.fromEntries(Object.entries(sketch.choices).map(([name, list]) => [name, dice.pick(list)]));
}

/** Up to `count` candidates that were not measured. */
function sample(
  _kernel: LoopKernel,
  sketches: readonly Sketch[],
  dice: Dice,
  count: number,
  measured: ReadonlyMap<string, unknown>,
): Candidate[] {
  const found = new Map<string, Candidate>();
  for (let i = 0; i < 20 * count && found.size < count; i++) {
    const sketch = dice.pick(sketches);
    const numbers = randomNumbers(sketch, dice);
    const key = keyOf({ sketch, numbers });
    if (measured.has(key) || found.has(key)) continue;
    const candidate = candidateOf(sketch, numbers);
    if (candidate) found.set(key, candidate);
  }
  return [...found.values()];
}

/** Mutation and crossover under the model; the best predicted, and some random ones. */
function evolve(
  kernel: LoopKernel,
  sketches: readonly Sketch[],
  parents: readonly Candidate[],
  model: BoostedTrees,
  dice: Dice,
  measured: ReadonlyMap<string, unknown>,
): Candidate[] {
  let population = [...parents, ...sample(kernel, sketches, dice, POPULATION / 4, measured)];
  const seen = new Map<string, Candidate>(population.map((c) => [keyOf(c), c]));
  for (let g = 0; g < GENERATIONS; g++) {
    for (let i = 0; i < POPULATION; i++) {
      const a = dice.pick(population);
      const b = dice.pick(population);
      const numbers = { ...a.numbers };
      if (a.sketch === b.sketch)
        for (const name of Object.keys(numbers)) if (dice.below(2) === 0) numbers[name] = b.numbers[name];
      if (dice.below(2) === 0) {
        const name = dice.pick(Object.keys(numbers));
        numbers[name] = dice.pick(a.sketch.choices[name]);
      }
      const key = keyOf({ sketch: a.sketch, numbers });
      if (seen.has(key)) continue;
      const child = candidateOf(a.sketch, numbers);
      if (child) seen.set(key, child);
    }
    population = [...seen.values()]
      .map((c) => ({ c, cost: model.predict(c.features) }))
      .sort((x, y) => x.cost - y.cost)
      .slice(0, POPULATION)
      .map(({ c }) => c);
  }
  const fresh = population.filter((c) => !measured.has(keyOf(c)));
  const explored = Math.max(1, Math.round(BATCH * EXPLORE));
  const chosen = fresh.slice(0, BATCH - explored);
  const names = new Set(chosen.map(keyOf));
  const others = sample(kernel, sketches, dice, explored, measured).filter((c) => !names.has(keyOf(c)));
  return [...chosen, ...others];
}

/** One file per kernel, target, sizes and machine. */
function cacheFile(kernel: LoopKernel, target: string, sizes: TuneOptions["sizes"]): string {
  const what = [printKernel(kernel), target, sizes ?? {}, cpus()[0]?.model, process.version, getNumThreads()];
  const hash = createHash("sha256").update(JSON.stringify(what)).digest("hex").slice(0, 32);
  return join(cacheFolder("tuned"), `${kernel.name}-${target}-${hash}.json`);
}

function readTuned(file: string, kernel: LoopKernel): Tuned | null {
  if (!existsSync(file)) return null;
  try {
    const { steps, seconds } = JSON.parse(readFileSync(file, "utf8")) as { steps: Step[]; seconds: number };
    touch(file);
    return { steps, seconds, kernel: scheduled(kernel, steps), history: [], fromCache: true };
  } catch {
    return null; // a damaged file is as good as none: it is written anew
  }
}

function store(file: string, steps: readonly Step[], seconds: number): void {
  const own = `${file}.${process.pid}.${threadId}`;
  writeFileSync(own, JSON.stringify({ steps, seconds }));
  renameSync(own, file);
  trimFolder(dirname(file), cacheLimit(), file);
}
