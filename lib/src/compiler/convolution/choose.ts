/**
 * Which algorithm a convolution gets: by rule, the same for the same sizes always, or by measurement, once for each size,
 * device and number of threads, as cuDNN's benchmark mode does. What was measured can be printed.
 */
import { ValueError } from "../../core/errors.js";
import { Generator } from "../../ops/random.js";
import { withDevice } from "../../runtime/devices.js";
import { allocate, memory, release } from "../../runtime/heap.js";
import { getNumThreads } from "../../runtime/pool/pool.js";
import type { ConvAlgorithm, ConvCall, HostDevice, PreparedConv } from "./algorithm.js";
import { type ConvGeometry, definitionWork, describe, outputOf } from "./geometry.js";
import { ALGORITHMS } from "./registry.js";
import { rule } from "./rule.js";

/** `rule`: the same algorithm for the same sizes in every run. `measured`: the fastest, measured when a size first comes. */
export type ConvMode = "rule" | "measured";

let mode: ConvMode = "rule";

/** How `conv2d` chooses where it is not told. @example compiler.convolution.convolutionMode() // "rule" */
export function convolutionMode(): ConvMode {
  return mode;
}

/**
 * From now on `conv2d` chooses so. Algorithms round differently: in mode `measured` the last digits may change from one run of
 * the program to the next, in mode `rule` they never do.
 * @example compiler.convolution.setConvolutionMode("rule")
 */
export function setConvolutionMode(to: ConvMode): void {
  if (to !== "rule" && to !== "measured")
    throw new ValueError(`setConvolutionMode: "${to}" is neither "rule" nor "measured"`);
  mode = to;
}

/** What one algorithm did on one size. */
export interface ConvTiming {
  readonly algorithm: string;
  /** The best of the runs; `null` where it was not run. */
  readonly milliseconds: number | null;
  /** Between images and filters. */
  readonly multiplications: number;
  /** Of the definition over these: how many it saves. */
  readonly saving: number;
  /** Bytes besides operands and result. */
  readonly workspace: number;
  /** Why it was not run. */
  readonly refused: string | null;
}

export interface ConvReport {
  readonly geometry: ConvGeometry;
  readonly device: HostDevice;
  readonly threads: number;
  /** The name of the fastest. */
  readonly fastest: string;
  readonly timings: readonly ConvTiming[];
}

/**
 * The algorithm of a name. @throws ValueError for an unknown one, or, given a size, with the reason why it does not take it.
 * @example compiler.convolution.findAlgorithm("winograd").multiplications(compiler.convolution.geometry({ channels: 1, filters: 1, height: 2 })) // 16
 */
export function findAlgorithm(name: string, g?: ConvGeometry): ConvAlgorithm {
  const found = ALGORITHMS.find((a) => a.name === name);
  if (!found)
    throw new ValueError(
      `conv2d: there is no algorithm "${name}"; there are ${ALGORITHMS.map((a) => a.name).join(", ")}, and "measured"`,
    );
  const refused = g && found.refuses(g);
  if (refused) throw new ValueError(`conv2d: "${name}" does not take ${describe(g)}: ${refused}`);
  return found;
}

/** Sizes that are kept prepared: some hold tables of pointers. */
const MOST_PREPARED = 256;
const prepared = new Map<string, PreparedConv>();

/** Kernels of an algorithm for a size, made once. */
export function preparedFor(algorithm: ConvAlgorithm, g: ConvGeometry, device: HostDevice): PreparedConv {
  const key = `${algorithm.name} ${device} ${JSON.stringify(g)}`;
  let found = prepared.get(key);
  if (!found) {
    found = algorithm.prepare(g, device);
    if (prepared.size >= MOST_PREPARED) prepared.delete([...prepared.keys()][0]); // the oldest; its kernels stay compiled
    prepared.set(key, found);
  }
  return found;
}

const fastest = new Map<string, string>();
const keyOf = (g: ConvGeometry, device: HostDevice): string =>
  `${device} ${getNumThreads()} ${JSON.stringify(g)}`;

/** Where measuring may hold no more memory than this, algorithms that need more are left out. */
const MOST_WORKSPACE = 512 * 1024 * 1024;

function candidates(g: ConvGeometry, device: HostDevice): ConvAlgorithm[] {
  return ALGORITHMS.filter((a) => a.refuses(g) === null && a.workspace(g, device) <= MOST_WORKSPACE);
}

/**
 * The algorithm for these sizes and operands, in either mode. In mode `measured` the first call with a size runs each on the
 * operands (the result is what the last one leaves); until all are compiled, the rule's.
 */
export function chosenFor(
  g: ConvGeometry,
  device: HostDevice,
  how: ConvMode,
  operands: Parameters<ConvCall>,
): ConvAlgorithm | null {
  const byRule = rule(g, device);
  const plain = byRule === null ? null : findAlgorithm(byRule);
  if (how === "rule") return plain;
  const known = fastest.get(keyOf(g, device));
  if (known) return findAlgorithm(known);
  const all = candidates(g, device).map((a) => ({ a, run: preparedFor(a, g, device) }));
  if (all.some(({ run }) => !run.isReady())) return plain;
  const times = all.map(({ a, run }) => ({ a, time: timeOf(() => run.run(...operands), 3) }));
  const best = times.reduce((x, y) => (y.time < x.time ? y : x)).a;
  fastest.set(keyOf(g, device), best.name);
  return best;
}

/** The best of some runs behind one that warms up: what else the machine does only adds. A slow one is run once. */
function timeOf(run: () => void, rounds: number): number {
  run();
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
    if (times[0] > 1000) break;
  }
  return Math.min(...times);
}

export interface MeasureOptions {
  readonly device?: HostDevice;
  /** Timed runs of each, of which the best counts. Default 5. */
  readonly runs?: number;
}

/**
 * Runs every algorithm that takes these sizes on random operands, when all are compiled; mode `measured` uses what it found.
 * @example (await compiler.convolution.measureConvolution(compiler.convolution.geometry({ channels: 4, filters: 4, height: 8 }), { runs: 1 })).timings.length >= 6 // true
 */
export async function measureConvolution(
  g: ConvGeometry,
  { device = "wasm", runs = 5 }: MeasureOptions = {},
): Promise<ConvReport> {
  const able = candidates(g, device);
  const kernels = new Map(able.map((a) => [a, preparedFor(a, g, device)]));
  for (const { ready } of kernels.values()) await ready;
  const [oh, ow] = outputOf(g);
  const sizes = [
    g.n * g.channels * g.height * g.width,
    (g.filters * g.channels * g.kernel[0] * g.kernel[1]) / g.groups,
    g.n * g.filters * oh * ow,
  ];
  const operands = sizes.map((count) => allocate(count * 4));
  const draw = new Generator(1);
  const times = new Map<ConvAlgorithm, number>();
  try {
    for (const i of [0, 1]) {
      const values = draw.normal([sizes[i]]);
      new Float32Array(memory.buffer, operands[i], sizes[i]).set(values.toTypedArray() as Float32Array);
      values.dispose();
    }
    withDevice(device, () => {
      for (const [a, { run }] of kernels)
        times.set(
          a,
          timeOf(() => run(operands[0], operands[1], operands[2]), runs),
        );
    });
  } finally {
    for (const [i, ptr] of operands.entries()) release(ptr, sizes[i] * 4);
  }
  const best = able.reduce((x, y) => ((times.get(y) as number) < (times.get(x) as number) ? y : x));
  fastest.set(keyOf(g, device), best.name);
  const all = definitionWork(g);
  const timings = ALGORITHMS.map((a): ConvTiming => {
    const refused = a.refuses(g) ?? (able.includes(a) ? null : "more memory than measuring may hold");
    const multiplications = refused ? all : a.multiplications(g);
    return {
      algorithm: a.name,
      milliseconds: times.get(a) ?? null,
      multiplications,
      saving: all / multiplications,
      workspace: refused ? 0 : a.workspace(g, device),
      refused,
    };
  });
  return { geometry: g, device, threads: getNumThreads(), fastest: best.name, timings };
}

/**
 * The report as a table in Markdown.
 * @example compiler.convolution.formatReport({ geometry: compiler.convolution.geometry({ channels: 1, filters: 1, height: 4 }), device: "wasm", threads: 1, fastest: "direct", timings: [] }).split("\n").length // 4
 */
export function formatReport({ geometry: g, device, threads, fastest: best, timings }: ConvReport): string {
  const rows = timings.map((t) => {
    if (t.refused) return `| ${t.algorithm} | – | | | | ${t.refused} |`;
    const cells = [
      t.milliseconds?.toPrecision(3) ?? "–",
      (t.multiplications / 1e6).toPrecision(3),
      `${t.saving.toFixed(2)}×`,
      (t.workspace / 2 ** 20).toFixed(2),
    ];
    return `| ${t.algorithm} | ${cells.join(" | ")} | ${t.algorithm === best ? "fastest" : ""} |`;
  });
  return [
    `${describe(g)} on ${device}, ${threads} thread${threads === 1 ? "" : "s"}`,
    "",
    "| algorithm | ms | 10⁶ multiplications | saved | MiB besides | |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}
