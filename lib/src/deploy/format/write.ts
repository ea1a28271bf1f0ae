/** Writing model files: a graph as tables, its constants behind them. */
import { crc32 } from "node:zlib";
import type { Graph, Value } from "../../ir/graph.js";
import { encodeAttribute } from "../../ir/json.js";
import { type DenseTensor, elementBytes } from "../../runtime/dense.js";
import { type Exportable, graphOf } from "../convert/exportable.js";
import { type EncryptOptions, encryptedParts } from "../protect/encryption/chunks.js";
import type { KeySource } from "../protect/encryption/keys.js";
import { replaceFile } from "../replace-file.js";
import {
  aligned,
  COVERED,
  DTYPE_CODES,
  HEADER,
  MAGIC,
  ModelFileError,
  NONE,
  TABLE_NAMES,
  TABLES,
  type TableName,
  VERSION,
} from "./layout.js";

interface Weight {
  readonly data: DenseTensor;
  /** From the weights' start. */
  readonly at: number;
  readonly bytes: number;
}

/** Tables that grow while a graph is written into them. */
class Tables {
  readonly weights: Weight[] = [];
  weightBytes = 0;
  private readonly numbers: Record<TableName, number[]>;
  private readonly text: Uint8Array[] = [];
  private textBytes = 0;
  private readonly known = new Map<string, number>();
  private readonly placed = new Map<DenseTensor, number>();
  private readonly graphs: number[][] = [];

  constructor() {
    this.numbers = Object.fromEntries(TABLE_NAMES.map((name) => [name, []])) as unknown as Record<
      TableName,
      number[]
    >;
  }

  /** Returns the graph's number. Graphs inside it get theirs first, save the outermost: it is 0. */
  graph(graph: Graph): number {
    const own = this.graphs.length;
    this.graphs.push([]);
    const numbers = new Map<Value, number>();
    const define = (value: Value): number => {
      const at = this.numbers.values.length / TABLES.values;
      const { dims } = this.numbers;
      this.numbers.values.push(
        value.name === null ? NONE : this.string(value.name),
        DTYPE_CODES.indexOf(value.dtype),
        dims.length,
        value.shape.length,
      );
      for (const dim of value.shape) dims.push(whole(dim));
      numbers.set(value, at);
      return at;
    };
    const list = (at: readonly number[]): [number, number] => {
      const { refs } = this.numbers;
      refs.push(...at);
      return [refs.length - at.length, at.length];
    };
    const use = (value: Value): number => numbers.get(value) as number;
    const params = list(graph.params.map(define));
    const constants = graph.constants.map(({ value, data }) => ({ value: define(value), data }));
    // graphs in attributes come first: records of this one's nodes and constants are to lie side by side
    const attributes = graph.nodes.map(({ attrs }) =>
      this.string(JSON.stringify(encodeAttribute(attrs, (region) => this.graph(region)))),
    );
    const firstConstant = this.numbers.constants.length / TABLES.constants;
    for (const { value, data } of constants) this.constant(value, data);
    const firstNode = this.numbers.nodes.length / TABLES.nodes;
    graph.nodes.forEach((node, i) => {
      const inputs = list(node.inputs.map(use));
      const outputs = list(node.outputs.map(define));
      const loc = node.loc === null ? NONE : this.string(node.loc);
      this.numbers.nodes.push(this.string(node.op.name), attributes[i], ...inputs, ...outputs, loc);
    });
    const results = list(graph.results.map(use));
    this.graphs[own] = [
      ...[this.string(graph.name), ...params, ...results],
      ...[firstConstant, constants.length, firstNode, graph.nodes.length],
    ];
    return own;
  }

  /** The same tensor stands once in the file. */
  private constant(value: number, data: DenseTensor): void {
    let at = this.placed.get(data);
    if (at === undefined) {
      at = this.weights.length;
      const bytes = elementBytes(data).length;
      this.weights.push({ data, at: aligned(this.weightBytes), bytes });
      this.weightBytes = aligned(this.weightBytes) + bytes;
      this.placed.set(data, at);
    }
    const weight = this.weights[at];
    const crc = crc32(elementBytes(data));
    this.numbers.constants.push(value, crc, ...halves(weight.at), ...halves(weight.bytes));
  }

  private string(text: string): number {
    const seen = this.known.get(text);
    if (seen !== undefined) return seen;
    const bytes = new TextEncoder().encode(text);
    const number = this.numbers.strings.length / TABLES.strings;
    this.numbers.strings.push(this.textBytes, bytes.length);
    this.text.push(bytes);
    this.textBytes += bytes.length;
    this.known.set(text, number);
    return number;
  }

  bytes(): Uint8Array {
    this.numbers.graphs = this.graphs.flat();
    const sizeOf = (name: TableName): number =>
      name === "text" ? this.textBytes : 4 * this.numbers[name].length;
    const countOf = (name: TableName): number =>
      name === "text" ? this.textBytes : this.numbers[name].length / TABLES[name];
    let at = 8 * TABLE_NAMES.length;
    const places = TABLE_NAMES.map((name) => {
      const place = at;
      at += Math.ceil(sizeOf(name) / 4) * 4;
      return place;
    });
    const out = new Uint8Array(at);
    const view = new DataView(out.buffer);
    TABLE_NAMES.forEach((name, i) => {
      view.setUint32(8 * i, places[i], true);
      view.setUint32(8 * i + 4, countOf(name), true);
      if (name === "text") {
        let to = places[i];
        for (const part of this.text) {
          out.set(part, to);
          to += part.length;
        }
      } else
        this.numbers[name].forEach((n, k) => {
          view.setUint32(places[i] + 4 * k, n, true);
        });
    });
    return out;
  }
}

const halves = (n: number): [number, number] => [n % 2 ** 32, Math.floor(n / 2 ** 32)];

function whole(dim: number): number {
  if (Number.isInteger(dim) && dim >= 0 && dim < 2 ** 32) return dim;
  throw new ModelFileError(`a size of ${dim} can't be written`);
}

/** The header and the tables; weights follow at `weightsAt`. */
function front(graph: Graph): {
  head: Uint8Array;
  weights: readonly Weight[];
  weightsAt: number;
  total: number;
} {
  const tables = new Tables();
  tables.graph(graph);
  const body = tables.bytes();
  const weightsAt = aligned(HEADER + body.length);
  const total = weightsAt + tables.weightBytes;
  const head = new Uint8Array(weightsAt);
  const view = new DataView(head.buffer);
  head.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, HEADER, true);
  for (const [at, n] of [[16, total], [24, HEADER], [32, body.length], [40, weightsAt]]) // biome-ignore format: a table
    view.setBigUint64(at, BigInt(n), true);
  head.set(body, HEADER);
  view.setUint32(48, crc32(body), true);
  view.setUint32(COVERED, crc32(head.subarray(0, COVERED)), true);
  return { head, weights: tables.weights, weightsAt, total };
}

function whatToWrite(model: Exportable, args: readonly unknown[]): Graph {
  const { graph, symbolic } = graphOf(model, args);
  if (symbolic)
    throw new ModelFileError(
      "a graph of open sizes can't be written; give examples of the arguments, or use saveOnnx",
    );
  return graph;
}

/**
 * The bytes of a model file.
 * @throws ModelFileError for a graph of open sizes; as `capture`.
 * @example deploy.decodeModelFile(deploy.encodeModelFile((x: Tensor) => x.mul(2), [tensor([1, 2])])).call(tensor([3, 4]))[0] // [6, 8]
 */
export function encodeModelFile(model: Exportable, args: readonly unknown[] = []): Uint8Array {
  const whole = front(whatToWrite(model, args));
  const out = new Uint8Array(whole.total);
  let at = 0;
  for (const part of parts(whole)) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A file from front to back. */
function* parts({ head, weights, weightsAt }: ReturnType<typeof front>): Generator<Uint8Array> {
  yield head;
  let at = weightsAt;
  for (const weight of weights) {
    const gap = weightsAt + weight.at - at;
    if (gap > 0) yield new Uint8Array(gap);
    yield elementBytes(weight.data);
    at += gap + weight.bytes;
  }
}

export interface SaveOptions extends EncryptOptions {
  /** The file is encrypted (AES-256-GCM) with a key of its own, which is encrypted with this one. Default: it is not. */
  readonly key?: KeySource;
}

/**
 * Writes a model to a file, one weight after the other; first beside it, then in its place, so that a crash leaves the old
 * file whole. With a key nothing but ciphertext reaches the disk.
 * @throws as `encodeModelFile`; EncryptionError for a key that can't be had.
 * @example await deploy.saveModel("/tmp/mlsys-example.mlsys", (x: Tensor) => x.mul(2), [tensor([1, 2])])
 */
export async function saveModel(
  file: string,
  model: Exportable,
  args: readonly unknown[] = [],
  { key, ...options }: SaveOptions = {},
): Promise<void> {
  const plain = parts(front(whatToWrite(model, args)));
  await replaceFile(file, key === undefined ? plain : encryptedParts(plain, key, options));
}
