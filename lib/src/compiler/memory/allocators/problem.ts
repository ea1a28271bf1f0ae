/** What an allocator is asked, and what it answers. */

/** A rectangle of lifetime × size. */
export interface Block {
  /** A multiple of the alignment. */
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  /** Lives for the whole run. */
  readonly lasting: boolean;
}

export interface AllocationProblem {
  readonly blocks: readonly Block[];
  /** True if the blocks must not overlap: both may be needed at one time. */
  readonly conflict: (a: number, b: number) => boolean;
  /** No placement is smaller. */
  readonly lowerBound: number;
}

/** One way that was tried. */
export interface Attempt {
  readonly name: string;
  readonly peakBytes: number;
}

export interface Allocation {
  /** Where each block starts, in bytes. */
  readonly offsets: readonly number[];
  readonly peakBytes: number;
  /** Of solvers that try several ways. */
  readonly attempts?: readonly Attempt[];
}

export interface Allocator {
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** It walks through time: the plan holds for the order of the nodes only. */
  readonly needsSequence: boolean;
  readonly allocate: (problem: AllocationProblem) => Allocation;
}

/** The end of the highest block. */
export function peakOf(blocks: readonly Block[], offsets: readonly number[]): number {
  return blocks.reduce((peak, { bytes }, i) => Math.max(peak, offsets[i] + bytes), 0);
}

/** Blocks that begin and blocks that end, moment by moment. */
export function walkTime(
  blocks: readonly Block[],
  begin: (block: number) => void,
  end: (block: number) => void,
): void {
  const byTime = (key: "first" | "last"): Map<number, number[]> => {
    const found = new Map<number, number[]>();
    blocks.forEach((block, i) => {
      const list = found.get(block[key]);
      if (list) list.push(i);
      else found.set(block[key], [i]);
    });
    return found;
  };
  const [begins, ends] = [byTime("first"), byTime("last")];
  const times = [...new Set([...begins.keys(), ...ends.keys()])].sort((a, b) => a - b);
  for (const time of times) {
    for (const block of begins.get(time) ?? []) begin(block);
    for (const block of ends.get(time) ?? []) end(block);
  }
}
