/** Who holds what, as the coordinator says. A higher epoch of a partition fences off all that a lower one said. */

export interface PartitionView {
  readonly e: number;
  /** Copies that hold all: leader or head first, tail last. Empty: lost. */
  readonly m: readonly string[];
  /** Copies that are being filled. */
  readonly l: readonly string[];
}

export interface View {
  readonly n: number;
  /** Addresses of servers by id. An id is of one life of a process: one that comes back has another. */
  readonly servers: Readonly<Record<string, string>>;
  readonly parts: readonly PartitionView[];
  readonly workers: readonly number[];
}

/** How far a copy is: number of its last entry, and the epoch in which that was made. */
export interface Position {
  readonly l: number;
  readonly s: number;
}

export const START: Position = { l: 0, s: 0 };
/** Of a copy that has nothing: all is to be sent. */
export const NOTHING: Position = { l: -1, s: -1 };
