/** Bytes by position, from a file or from memory; nothing past the end is asked for, and no more memory than there are bytes. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ValueError } from "../../../core/errors.js";

/** What a reader of a format opens: a path, or the bytes themselves. */
export type BytesOrPath = string | Uint8Array;

export interface ByteFile extends Disposable {
  /** For messages: the path, or "the bytes". */
  readonly name: string;
  /** `null` for bytes in memory. */
  readonly path: string | null;
  readonly size: number;
  /**
   * `length` bytes from `offset`, a copy of the caller's own (8-byte aligned).
   * @throws ValueError if the file ends before.
   */
  read(offset: number, length: number): Buffer;
  /** The same into `into`, from its start. */
  readInto(into: Uint8Array, offset: number, length: number): void;
  close(): void;
}

/** @throws the system's error if there is no such file; ValueError if it is a folder. */
export function openBytes(source: BytesOrPath): ByteFile {
  return typeof source === "string" ? new DiskFile(source) : new MemoryFile(source);
}

abstract class Positions implements ByteFile {
  abstract readonly name: string;
  abstract readonly path: string | null;
  abstract readonly size: number;
  abstract close(): void;
  protected abstract fill(into: Uint8Array, offset: number, length: number): void;

  read(offset: number, length: number): Buffer {
    this.check(offset, length);
    const out = Buffer.allocUnsafe(length);
    this.fill(out, offset, length);
    return out;
  }

  readInto(into: Uint8Array, offset: number, length: number): void {
    this.check(offset, length);
    this.fill(into, offset, length);
  }

  private check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size))
      throw new ValueError(
        `${this.name}: wants bytes ${offset} to ${offset + length}, but it ends at ${this.size}`,
      );
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class DiskFile extends Positions {
  readonly name: string;
  readonly size: number;
  private fd: number;

  constructor(readonly path: string) {
    super();
    this.name = path;
    this.fd = openSync(path, "r");
    const stats = fstatSync(this.fd);
    if (!stats.isFile()) {
      closeSync(this.fd);
      throw new ValueError(`${path} is not a file`);
    }
    this.size = stats.size;
  }

  protected fill(into: Uint8Array, offset: number, length: number): void {
    if (this.fd < 0) throw new ValueError(`${this.name} is closed`);
    for (let done = 0; done < length; ) {
      const count = readSync(this.fd, into, done, length - done, offset + done);
      if (count === 0)
        throw new ValueError(`${this.name}: shrank while it was read; it ends before ${offset + length}`);
      done += count;
    }
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

class MemoryFile extends Positions {
  readonly name = "the bytes";
  readonly path = null;
  readonly size: number;

  constructor(private readonly bytes: Uint8Array) {
    super();
    this.size = bytes.length;
  }

  protected fill(into: Uint8Array, offset: number, length: number): void {
    into.set(this.bytes.subarray(offset, offset + length));
  }

  close(): void {}
}
