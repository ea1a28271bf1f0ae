/**
 * Reading model files. The header and the tables are checked when a file is opened; weights stay in it until something
 * reads their elements: then they go from the file into the heap, once, and are checked by their CRC.
 */
import { crc32 } from "node:zlib";
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { contiguousLayout } from "../../core/layout.js";
import { formatType, type Shape, sizeOf, type TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { compile, type Executable } from "../../graph/execute.js";
import { type Constant, Graph, type GraphNode, type Value } from "../../ir/graph.js";
import { decodeAttribute } from "../../ir/json.js";
import { verify } from "../../ir/verify.js";
import { getOp, type OpDef } from "../../ops/registry.js";
import { DenseTensor } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { memory } from "../../runtime/heap.js";
import type { Remote } from "../../runtime/remote.js";
import { Storage } from "../../runtime/storage.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { readable } from "../protect/encryption/chunks.js";
import type { KeySource } from "../protect/encryption/keys.js";
import type { OpLibrary } from "../protect/obfuscation/library.js";
import {
  ALIGNMENT,
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
import { bytesSource, fileSource, type Source } from "./source.js";

interface Place {
  readonly at: number;
  readonly bytes: number;
  readonly crc: number;
  readonly name: string;
}

/** A weight as the file lists it. */
export interface ModelWeight extends TensorType {
  readonly name: string | null;
  readonly bytes: number;
}

/** Graphs in graphs: deeper ones contain themselves. */
const MOST_NESTED = 64;

/** Largest tables that are read; weights are not in them. */
const MOST_TABLES = 2 ** 30;

export class ModelFile {
  /** The model, verified. Its weights are read when something reads their elements. */
  readonly graph: Graph;
  private executable: Executable | null = null;
  private read = 0;

  constructor(
    private readonly source: Source,
    private readonly where: string,
    op: (name: string) => OpDef = getOp,
  ) {
    const tables = new TableReader(source, where);
    this.graph = verified(where, () =>
      new GraphReader(tables, (place, value) => this.lazy(place, value), op).graph(0, 0),
    );
  }

  /** Parameters of the model. */
  get inputs(): readonly Value[] {
    return this.graph.params;
  }

  /** The weights that the file lists, none of which this reads. */
  get weights(): readonly ModelWeight[] {
    return this.graph.constants.map(({ value: { name, shape, dtype } }) => ({
      name,
      shape,
      dtype,
      bytes: sizeOf(shape) * bytesPerElement(dtype),
    }));
  }

  /** Bytes of weights that were read so far. */
  get bytesRead(): number {
    return this.read;
  }

  /**
   * The weight of this name. @throws ModelFileError if there is none.
   */
  weight(name: string): Tensor {
    const found = this.graph.constants.find(({ value }) => value.name === name);
    if (!found)
      throw new ModelFileError(`${this.where}: there is no weight ${JSON.stringify(name.slice(0, 80))}`);
    return found.data;
  }

  /** The results, compiled at the first call. @throws IRError if the arguments do not fit; ModelFileError for a damaged weight. */
  call(...args: Tensor[]): Tensor[] {
    this.executable ??= compile(this.graph, { level: "O3" });
    return this.executable.run(args);
  }

  /** Closes the file: weights that nothing has read are lost. */
  close(): void {
    this.source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A tensor whose elements are in the file: to the storage the file is a device, from which it copies when they are read. */
  private lazy(place: Place, { shape, dtype }: TensorType): DenseTensor {
    const file: Remote = {
      memory: {
        device: "file",
        allocate: () => place,
        free: () => {},
        upload: () => {
          throw new ModelFileError(`${this.where}: a model file is only read`);
        },
        download: (_place, bytes, ptr) => {
          const to = new Uint8Array(memory.buffer, ptr, bytes);
          this.source.read(place.at, to);
          if (crc32(to) !== place.crc)
            throw new ModelFileError(
              `${this.where}: the weight ${place.name} is damaged: its checksum is wrong`,
            );
          this.read += bytes;
        },
      },
      kernels: new Map(),
      counts: {
        native: new Map(),
        fallback: new Map(),
        uploads: 0,
        uploadedBytes: 0,
        downloads: 0,
        downloadedBytes: 0,
      },
    };
    return outsideScopes(() => {
      const storage = new Storage(dtype, sizeOf(shape), file);
      storage.writtenOn(file);
      return new DenseTensor(storage, contiguousLayout(shape), getDevice());
    });
  }
}

/** Whatever is wrong with a graph is wrong with the file. */
function verified(where: string, make: () => Graph): Graph {
  try {
    return verify(make());
  } catch (error) {
    if (error instanceof ModelFileError) throw error;
    throw new ModelFileError(
      `${where}: the file describes no well-formed graph: ${(error as Error).message.slice(0, 500)}`,
      { cause: error },
    );
  }
}

/** The tables, as they lie in the file; every place in them is checked when it is used. */
class TableReader {
  readonly weightsAt: number;
  readonly weightBytes: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly places: Record<TableName, { at: number; count: number }>;

  constructor(
    source: Source,
    readonly where: string,
  ) {
    const fail = (problem: string): never => {
      throw new ModelFileError(`${where}: ${problem}`);
    };
    if (source.size < HEADER) fail(`not a model file: it has ${source.size} bytes`);
    const head = new Uint8Array(HEADER);
    source.read(0, head);
    const view = new DataView(head.buffer);
    if (new TextDecoder("latin1").decode(head.subarray(0, MAGIC.length)) !== MAGIC)
      fail(`not a model file: it does not begin with ${MAGIC}`);
    if (view.getUint32(COVERED, true) !== crc32(head.subarray(0, COVERED)))
      fail("its header is damaged: the checksum is wrong");
    const version = view.getUint32(8, true);
    if (version !== VERSION) fail(`it has version ${version}, this library reads version ${VERSION}`);
    const [total, tablesAt, tablesBytes, weightsAt] = [16, 24, 32, 40].map((at) =>
      Number(view.getBigUint64(at, true)),
    );
    if (total !== source.size)
      fail(
        `it has ${source.size} bytes, its header says ${total}: it was cut short, or something follows it`,
      );
    const fits =
      tablesAt === HEADER &&
      tablesBytes <= MOST_TABLES &&
      tablesAt + tablesBytes <= weightsAt &&
      weightsAt <= total &&
      weightsAt % ALIGNMENT === 0;
    if (!fits || tablesBytes < 8 * TABLE_NAMES.length) fail("its parts overlap, or lie outside of it");
    this.bytes = new Uint8Array(tablesBytes);
    source.read(tablesAt, this.bytes);
    if (crc32(this.bytes) !== view.getUint32(48, true)) fail("its tables are damaged: the checksum is wrong");
    this.view = new DataView(this.bytes.buffer);
    this.weightsAt = weightsAt;
    this.weightBytes = total - weightsAt;
    this.places = Object.fromEntries(
      TABLE_NAMES.map((name, i) => {
        const [at, count] = [this.view.getUint32(8 * i, true), this.view.getUint32(8 * i + 4, true)];
        const bytes = name === "text" ? count : 4 * TABLES[name] * count;
        if (at % 4 !== 0 || at + bytes > tablesBytes) fail(`its table of ${name} lies outside of it`);
        return [name, { at, count }];
      }),
    ) as Record<TableName, { at: number; count: number }>;
  }

  /** A number of a record. @throws ModelFileError outside the table. */
  number(table: TableName, record: number, column: number): number {
    const { at, count } = this.places[table];
    if (record >= count)
      throw new ModelFileError(`${this.where}: record ${record} of ${table}, which has ${count}`);
    return this.view.getUint32(at + 4 * (record * TABLES[table] + column), true);
  }

  string(record: number): string {
    const [from, size] = [this.number("strings", record, 0), this.number("strings", record, 1)];
    const { at, count } = this.places.text;
    if (from + size > count)
      throw new ModelFileError(`${this.where}: string ${record} lies outside of the text`);
    return new TextDecoder().decode(this.bytes.subarray(at + from, at + from + size));
  }

  optional(record: number): string | null {
    return record === NONE ? null : this.string(record);
  }

  /** A stretch of numbers of a table of lists. */
  list(table: "dims" | "refs", first: number, count: number): number[] {
    if (first + count > this.places[table].count)
      throw new ModelFileError(`${this.where}: a list of ${count} ${table} lies outside of their table`);
    return Array.from({ length: count }, (_, i) => this.number(table, first + i, 0));
  }

  /** So many records are there. */
  stretch(table: TableName, first: number, count: number): number[] {
    if (first + count > this.places[table].count)
      throw new ModelFileError(`${this.where}: ${count} ${table} lie outside of their table`);
    return Array.from({ length: count }, (_, i) => first + i);
  }
}

class GraphReader {
  /** Graphs that were read: how often one is read is bounded, whatever the attributes say. */
  private budget = 100_000;

  constructor(
    private readonly tables: TableReader,
    private readonly weight: (place: Place, type: TensorType) => DenseTensor,
    private readonly op: (name: string) => OpDef,
  ) {}

  graph(number: number, depth: number): Graph {
    const { tables } = this;
    if (depth > MOST_NESTED || this.budget-- <= 0)
      throw new ModelFileError(`${tables.where}: graph ${number} contains itself, or there are too many`);
    const column = (k: number): number => tables.number("graphs", number, k);
    const values = new Map<number, Value>();
    const define = (at: number): Value => {
      if (values.has(at)) throw new ModelFileError(`${tables.where}: value ${at} is defined twice`);
      const value: Value = {
        id: values.size,
        name: tables.optional(tables.number("values", at, 0)),
        ...this.type(at),
      };
      values.set(at, value);
      return value;
    };
    const use = (at: number): Value => {
      const found = values.get(at);
      if (!found) throw new ModelFileError(`${tables.where}: value ${at} is used before it is defined`);
      return found;
    };
    const params = tables.list("refs", column(1), column(2)).map(define);
    const constants = tables.stretch("constants", column(5), column(6)).map((at): Constant => {
      const value = define(tables.number("constants", at, 0));
      return { value, data: this.weight(this.placeOf(at, value), value) };
    });
    const nodes = tables.stretch("nodes", column(7), column(8)).map((at): GraphNode => {
      const part = (k: number): number => tables.number("nodes", at, k);
      const attrs = decodeAttribute(JSON.parse(tables.string(part(1))), (inner) =>
        this.graph(Number(inner), depth + 1),
      );
      const inputs = tables.list("refs", part(2), part(3)).map(use);
      const outputs = tables.list("refs", part(4), part(5)).map(define);
      return {
        op: this.op(tables.string(part(0))),
        inputs,
        attrs: attrs as object,
        outputs,
        loc: tables.optional(part(6)),
      };
    });
    const results = tables.list("refs", column(3), column(4)).map(use);
    return new Graph(tables.string(column(0)), params, constants, nodes, results);
  }

  private type(at: number): { dtype: DType; shape: Shape } {
    const { tables } = this;
    const code = tables.number("values", at, 1);
    const dtype = DTYPE_CODES[code];
    if (!dtype) throw new ModelFileError(`${tables.where}: value ${at} has dtype number ${code}`);
    const shape = tables.list("dims", tables.number("values", at, 2), tables.number("values", at, 3));
    if (!Number.isSafeInteger(8 * shape.reduce((a, b) => a * b, 1)))
      throw new ModelFileError(`${tables.where}: value ${at} would have the shape [${shape.slice(0, 8)}]`);
    return { dtype, shape };
  }

  private placeOf(at: number, value: Value): Place {
    const { tables } = this;
    const part = (k: number): number => tables.number("constants", at, k);
    const [from, bytes] = [part(2) + part(3) * 2 ** 32, part(4) + part(5) * 2 ** 32];
    const name = value.name ?? `%${value.id}`;
    if (
      bytes !== sizeOf(value.shape) * bytesPerElement(value.dtype) ||
      from % ALIGNMENT !== 0 ||
      from + bytes > tables.weightBytes
    )
      throw new ModelFileError(
        `${tables.where}: ${bytes} bytes at ${from} of ${tables.weightBytes} are no place for ${name}, ${formatType(value).slice(0, 80)}`,
      );
    return { at: tables.weightsAt + from, bytes, crc: part(1), name };
  }
}

export interface OpenOptions {
  /** Of an encrypted file. A file that is not encrypted is refused then: another may have been put in its place. */
  readonly key?: KeySource;
  /** Of an obfuscated model: its ops. */
  readonly library?: OpLibrary;
}

const opsOf = (library: OpLibrary | undefined) => library && ((name: string) => library.get(name));

/**
 * Opens a model file. Nothing of its weights is read yet; `close()` it when they have been, or `using`.
 * @throws ModelFileError naming the file and what is wrong with it; EncryptionError if the key is missing or wrong, or the
 * file was changed. What is wrong with a weight is found when it is read.
 * @example await deploy.saveModel("/tmp/mlsys-example.mlsys", (x: Tensor) => x.mul(2), [tensor([1, 2])]); deploy.openModel("/tmp/mlsys-example.mlsys").call(tensor([3, 4]))[0] // [6, 8]
 */
export function openModel(file: string, { key, library }: OpenOptions = {}): ModelFile {
  const source = fileSource(file);
  try {
    return new ModelFile(readable(source, key, file), file, opsOf(library));
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * The model of a file's bytes, which its weights stay in until they are read.
 * @throws ModelFileError as `openModel`.
 * @example deploy.decodeModelFile(deploy.encodeModelFile((x: Tensor) => x.neg(), [tensor([1])])).inputs.length // 1
 */
export function decodeModelFile(
  bytes: Uint8Array,
  where = "model",
  { key, library }: OpenOptions = {},
): ModelFile {
  return new ModelFile(readable(bytesSource(bytes), key, where), where, opsOf(library));
}
