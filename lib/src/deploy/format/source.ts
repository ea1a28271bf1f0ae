/** Bytes that lie somewhere and are read in pieces: in a file, in memory, behind encryption. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ModelFileError } from "./layout.js";

export interface Source {
  readonly size: number;
  /** Fills `to` from `at` on. */
  read(at: number, to: Uint8Array): void;
  close(): void;
}

/** A file that stays open until it is closed. */
export function fileSource(file: string): Source {
  const descriptor = openSync(file, "r");
  let open = true;
  return {
    size: fstatSync(descriptor).size,
    read: (at, to) => {
      if (!open)
        throw new ModelFileError(
          `${file}: the file is closed, and something reads a weight that was not read before`,
        );
      for (let done = 0; done < to.length; ) {
        const count = readSync(descriptor, to, done, Math.min(to.length - done, 2 ** 30), at + done);
        if (count === 0) throw new ModelFileError(`${file}: the file ended while it was read`);
        done += count;
      }
    },
    close: () => {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

export function bytesSource(bytes: Uint8Array): Source {
  return {
    size: bytes.length,
    read: (at, to) => to.set(bytes.subarray(at, at + to.length)),
    close: () => {},
  };
}
