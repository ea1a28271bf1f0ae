/**
 * Which partition a key belongs to. Servers and clients compute the same layout from the job, so that no table has to be
 * sent around. (Key ranges: Li et al., OSDI 2014, section 4.3.)
 */
import { ValueError } from "../../core/errors.js";
import type { DenseSpec, Job, RowsSpec } from "./job.js";

/** Elements `start` … `end` − 1 of a dense tensor, row-major. */
export interface Slice {
  readonly spec: DenseSpec;
  readonly index: number;
  readonly partition: number;
  readonly start: number;
  readonly end: number;
}

/** FNV-1a with a final mix (MurmurHash3's), so that keys that differ in one character lie far apart. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The same for a row: no text is made for each. */
export function hashRow(seed: number, id: number): number {
  let h = Math.imul(seed ^ id, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ Math.floor(id / 2 ** 31), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 15)) >>> 0;
}

export class Layout {
  readonly slices = new Map<string, readonly Slice[]>();
  readonly tables = new Map<string, RowsSpec>();
  private readonly seeds = new Map<string, number>();

  constructor(readonly job: Job) {
    const dense = job.tensors.filter((spec) => spec.kind === "dense");
    const size = ({ shape }: DenseSpec): number => shape.reduce((product, n) => product * n, 1);
    const total = dense.reduce((sum, spec) => sum + size(spec), 0);
    const perPartition = Math.max(1, Math.ceil(total / job.partitions));
    let before = 0; // elements of all tensors so far: a range of the whole goes to each partition
    for (const spec of dense) {
      const [slices, length]: [Slice[], number] = [[], size(spec)];
      for (let start = 0; start < length; ) {
        const place = before + start;
        const [range, limit] = [Math.floor(place / perPartition), start + job.sliceElements];
        const border = job.partitioner === "range" ? start + (range + 1) * perPartition - place : limit;
        const end = Math.min(length, limit, border);
        const index = slices.length;
        const partition =
          job.partitioner === "range" ? range : hash(`${spec.name}/${index}`) % job.partitions;
        slices.push({ spec, index, partition, start, end });
        start = end;
      }
      this.slices.set(spec.name, slices);
      before += length;
    }
    for (const spec of job.tensors)
      if (spec.kind === "rows") {
        this.tables.set(spec.name, spec);
        this.seeds.set(spec.name, hash(spec.name));
      }
  }

  slicesOf(name: string): readonly Slice[] {
    const found = this.slices.get(name);
    if (!found) throw new ValueError(`parameter server: there is no dense tensor ${JSON.stringify(name)}`);
    return found;
  }

  tableOf(name: string): RowsSpec {
    const found = this.tables.get(name);
    if (!found) throw new ValueError(`parameter server: there is no table ${JSON.stringify(name)}`);
    return found;
  }

  partitionOfRow(table: RowsSpec, id: number): number {
    const { partitions, partitioner } = this.job;
    if (partitioner === "hash") return hashRow(this.seeds.get(table.name) as number, id) % partitions;
    return Math.floor((id * partitions) / table.rows);
  }
}
