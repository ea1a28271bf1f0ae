/** cache: the first whole walk is kept, in memory or in a file, and later walks read that. */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { threadId } from "node:worker_threads";
import { MlsysError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { map as mapTree } from "../../core/tree.js";
import { DenseTensor, viewOf } from "../../runtime/dense.js";
import { decodeElement, encodeElement } from "./element-bytes.js";
import { after, type Maybe } from "./maybe.js";
import { type Cursor, END, type Node, type Opening, openNode, type Pulled, type State } from "./node.js";

/** What was kept so far. */
interface Store {
  /** True once a whole walk is kept. */
  readonly whole: boolean;
  reader(from: number): { next(): Pulled<unknown>; close(): void };
  writer(): { add(item: unknown): void; finish(): void; abandon(): void };
}

export function cacheNode(input: Node, file?: string): Node {
  const store = file === undefined ? new MemoryStore() : new FileStore(resolve(file));
  return {
    op: "cache",
    name: file === undefined ? "cache" : `cache(${file})`,
    inputs: [input],
    spec: { kind: "other" },
    size: input.size,
    open(opening, state) {
      const index = (state?.index as number | undefined) ?? 0;
      if (store.whole) return new Reading(store, index);
      // all walks give what the first one does, whichever of them fills the cache
      const first: Opening = { ...opening, epoch: 0 };
      return new Filling(openNode(input, first, state?.input as State | undefined), store, index);
    },
  };
}

class Reading implements Cursor<unknown> {
  private readonly reader: ReturnType<Store["reader"]>;

  constructor(
    store: Store,
    private index: number,
  ) {
    this.reader = store.reader(index);
  }

  next(): Pulled<unknown> {
    const x = this.reader.next();
    if (x !== END) this.index++;
    return x;
  }

  /** Whoever has no cache reads the input anew. */
  state(): State {
    return { index: this.index, input: { from: {}, skip: this.index } };
  }

  close(): void {
    this.reader.close();
  }
}

class Filling implements Cursor<unknown> {
  private writer: ReturnType<Store["writer"]> | null;

  constructor(
    private readonly input: Cursor<unknown>,
    store: Store,
    private index: number,
  ) {
    this.writer = index === 0 ? store.writer() : null; // a walk that is resumed has not seen all
  }

  next(): Maybe<Pulled<unknown>> {
    return after(this.input.next(), (x) => {
      if (x === END) {
        this.writer?.finish();
        this.writer = null;
      } else {
        this.writer?.add(x);
        this.index++;
      }
      return x;
    });
  }

  state(): State {
    return { index: this.index, input: this.input.state() };
  }

  close(): Maybe<void> {
    this.writer?.abandon();
    this.writer = null;
    return this.input.close();
  }
}

class MemoryStore implements Store {
  private kept: readonly unknown[] | null = null;

  get whole(): boolean {
    return this.kept !== null;
  }

  reader(from: number) {
    const kept = this.kept as readonly unknown[];
    let at = from;
    // handles of the reader's own: it may dispose them
    const given = (item: unknown): unknown =>
      mapTree((t) => (t instanceof DenseTensor ? viewOf(t, t) : t), item);
    return { next: () => (at < kept.length ? given(kept[at++]) : END), close: () => {} };
  }

  writer() {
    const list: unknown[] = [];
    return {
      add: (item: unknown) => {
        const own = (t: Tensor): unknown => {
          if (!(t instanceof DenseTensor)) return t;
          const handle = t.retained();
          handle.collectable();
          return handle;
        };
        list.push(mapTree(own, item));
      },
      finish: () => {
        this.kept ??= list;
      },
      abandon: () => {},
    };
  }
}

const MAGIC = Buffer.from("MLSYSDC1");
/** A record larger than this is no record. */
const MAX_RECORD = 2 ** 31 - 1;

/** Records of a length (uint32) and bytes, behind MAGIC. The file has its name only once it is whole. */
class FileStore implements Store {
  constructor(private readonly path: string) {}

  get whole(): boolean {
    return existsSync(this.path);
  }

  reader(from: number) {
    const { path } = this;
    const file = openSync(path, "r");
    const size = fstatSync(file).size;
    const head = Buffer.alloc(MAGIC.length);
    readSync(file, head, 0, head.length, 0);
    if (!head.equals(MAGIC)) {
      closeSync(file);
      throw new MlsysError(`dataset: ${path} is no cache of a dataset; name another file, or delete it`);
    }
    let at = MAGIC.length;
    const length = Buffer.alloc(4);
    const advance = (): number | null => {
      if (at === size) return null;
      readSync(file, length, 0, 4, at);
      const bytes = length.readUInt32LE();
      if (bytes > MAX_RECORD || at + 4 + bytes > size)
        throw new MlsysError(`dataset: the cache ${path} is damaged at byte ${at}; delete it`);
      at += 4 + bytes;
      return bytes;
    };
    for (let i = 0; i < from && advance() !== null; i++);
    return {
      next: (): Pulled<unknown> => {
        const bytes = advance();
        if (bytes === null) return END;
        const record = Buffer.alloc(bytes);
        readSync(file, record, 0, bytes, at - bytes);
        return decodeElement(record, path);
      },
      close: () => closeSync(file),
    };
  }

  writer() {
    const { path } = this;
    mkdirSync(dirname(path), { recursive: true });
    const partial = `${path}.${process.pid}.${threadId}.${++writers}.partial`;
    const file = openSync(partial, "w");
    writeSync(file, MAGIC);
    const length = Buffer.alloc(4);
    return {
      add: (item: unknown) => {
        const bytes = encodeElement(item);
        length.writeUInt32LE(bytes.length);
        writeSync(file, length);
        writeSync(file, bytes);
      },
      finish: () => {
        closeSync(file);
        renameSync(partial, path);
      },
      abandon: () => {
        closeSync(file);
        rmSync(partial, { force: true });
      },
    };
  }
}

let writers = 0;
