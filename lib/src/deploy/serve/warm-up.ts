/**
 * Warm-up: the model runs on sizes that are to come before the first request does; and whether requests can share a run
 * is tried, not believed: rows of a batch must come out as they do alone.
 */
import type { LoadedModel, TensorSpec, WireTensor } from "./backend.js";
import { DATATYPES } from "./datatypes.js";
import { encodeNumbers, numbersOf } from "./numbers.js";

export interface WarmUp {
  /** Numbers of rows to run with. */
  readonly rows: readonly number[];
  /** For open sizes besides the first axis: shapes by input, without the first axis. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Whether requests are to share runs. */
  readonly batching: boolean;
  /** Where the file fixes the first axis of all: whether rows of padding may fill it up. */
  readonly pad: boolean;
}

/** How requests may share runs. */
export interface Sharing {
  /** Why they can't; `null`: they can. */
  readonly alone: string | null;
  /** Rows that every run has; `null`: any number. */
  readonly capacity: number | null;
}

/** Relative difference that a kernel for another size may make. */
const TOLERANCE = 1e-2;

/** @throws what the model does on inputs of its own types. */
export async function warmUp(model: LoadedModel, asked: WarmUp): Promise<Sharing> {
  const first = model.inputs[0]?.shape[0];
  const capacity = asked.pad && first >= 1 ? first : null;
  const alone = asked.batching ? await whyAlone(model, asked, capacity) : "batching is off";
  if (isKnown(model.inputs, asked)) {
    const sizes = capacity !== null || alone !== null ? [1] : asked.rows;
    for (const rows of sizes) await model.run(sample(model.inputs, rows, asked));
  }
  return { alone, capacity: alone === null ? capacity : null };
}

/** Whether examples can be made: nobody knows which sizes are to come on open axes but the first. */
const isKnown = (inputs: readonly TensorSpec[], asked: WarmUp): boolean =>
  inputs.every(({ name, shape }) => sampleShape(name, shape, 1, asked) !== null);

async function whyAlone(model: LoadedModel, asked: WarmUp, capacity: number | null): Promise<string | null> {
  const { inputs, outputs } = model;
  const other = [...inputs, ...outputs].find(
    ({ shape }) => shape.length === 0 || shape[0] !== (capacity ?? -1),
  );
  if (other)
    return `"${other.name}" is ${other.datatype}[${other.shape}]: its first axis is not ${capacity ?? "open"}`;
  if (inputs.length === 0) return "it has no inputs";
  if (!isKnown(inputs, asked)) return null;
  const rows = capacity ?? 3;
  const together = sample(inputs, rows, asked);
  const whole = await model.run(together);
  for (let row = 0; row < Math.min(rows, 3); row++) {
    const one = await model.run(together.map((x) => alone(x, row, rows, capacity)));
    const wrong = whole.findIndex((x, i) => !sameRow(x, row, one[i], rows));
    if (wrong >= 0)
      return `output "${whole[wrong].name}" of a row changes with the rows beside it, or has no row for each`;
  }
  return null;
}

/** The shape of an example; `null` where an open size is anybody's guess. */
function sampleShape(name: string, shape: readonly number[], rows: number, asked: WarmUp): number[] | null {
  const rest = asked.shapes[name] ?? shape.slice(1);
  if (rest.some((dim) => dim < 0)) return null;
  return shape.length === 0 ? [] : [shape[0] === -1 ? rows : shape[0], ...rest];
}

/** Numbers that differ from row to row: floats in [-1, 1), whole numbers 0 and 1, which most tables have a row for. */
function sample(inputs: readonly TensorSpec[], rows: number, asked: WarmUp): WireTensor[] {
  return inputs.map(({ name, datatype, shape }) => {
    const dims = sampleShape(name, shape, rows, asked) as number[];
    const whole = DATATYPES[datatype].range !== undefined;
    let state = 1;
    const draw = (): number => {
      state = (Math.imul(state, 48271) >>> 0) % 0x7fffffff; // MINSTD
      return whole ? (state >> 8) & 1 : state / 0x3fffffff - 1;
    };
    const size = dims.reduce((product, dim) => product * dim, 1);
    return { name, datatype, shape: dims, data: encodeNumbers(datatype, Array.from({ length: size }, draw)) };
  });
}

const rowBytes = ({ data }: WireTensor, rows: number): number => data.length / rows;

/** One row; where the size is fixed, it stands everywhere. */
function alone(x: WireTensor, row: number, rows: number, capacity: number | null): WireTensor {
  const width = rowBytes(x, rows);
  const one = x.data.subarray(row * width, (row + 1) * width);
  const times = capacity ?? 1;
  const data = new Uint8Array(width * times);
  for (let i = 0; i < times; i++) data.set(one, i * width);
  return { ...x, shape: [times, ...x.shape.slice(1)], data };
}

function sameRow(whole: WireTensor, row: number, one: WireTensor, rows: number): boolean {
  if (whole.shape[0] !== rows) return false;
  const times = one.shape[0];
  if (!(times >= 1) || String(whole.shape.slice(1)) !== String(one.shape.slice(1))) return false;
  const [width, other] = [rowBytes(whole, rows), rowBytes(one, times)];
  if (width !== other) return false;
  const [a, b] = [
    numbersOf(whole.datatype, whole.data.subarray(row * width, (row + 1) * width)),
    numbersOf(one.datatype, one.data.subarray(0, width)),
  ];
  return a.every(
    (x, i) => Object.is(x, b[i]) || x === b[i] || Math.abs(x - b[i]) <= TOLERANCE * (1 + Math.abs(x)),
  );
}
