/** Saving: each rank writes what it owns, then one rename makes it the checkpoint. */
import { createHash } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import { type Shape, sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import { type DenseTensor, viewOf } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";
import type { Training } from "../../train/checkpoint.js";
import { safetensorsParts, writeWhole } from "../../train/safetensors.js";
import type { ProcessGroup } from "../group/process-group.js";
import { MANIFEST, type ManifestFile, type ManifestTensor, manifestText } from "./manifest.js";
import { rangesOf, statesOf } from "./state.js";

/** Elements that this rank writes. */
interface Written {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly from: number;
  readonly data: DenseTensor;
}

/** What a rank tells of its file. */
interface Report {
  readonly file: ManifestFile;
  readonly parts: readonly {
    readonly name: string;
    readonly shape: Shape;
    readonly dtype: DType;
    readonly from: number;
    readonly count: number;
    readonly offset: number;
  }[];
}

/**
 * Writes a checkpoint of a training on several ranks into a folder: each rank the parts that it owns, of what all have an
 * equal share. The folder's earlier checkpoint stays until the new one is complete; a crash at any time leaves one of the two.
 * All ranks call it at the same point of their programs. The values are those of the call: a training may go on, and await
 * the promise later, as long as its event loop turns now and then.
 * @param training of a plain module, a `DistributedDataParallel` or a `FullyShardedDataParallel`, and its optimizer
 * @example
 * const job = async (group: distributed.ProcessGroup) => {
 *   const model = new distributed.FullyShardedDataParallel(new nn.Dense(2, 1), { group });
 *   await distributed.saveCheckpoint("checkpoint", { model }, group);
 * };
 * // await distributed.launch(2, job)
 * @throws MlsysError on all ranks if one of them can't write; the earlier checkpoint is still there then
 */
export async function saveCheckpoint(dir: string, training: Training, group: ProcessGroup): Promise<void> {
  const written = ownParts(training, group); // the values of now
  const history = training.history ? JSON.stringify(training.history) : null;
  // a group of its own: what the training sends meanwhile does not mix with it
  const own = await group.split(0);
  try {
    const where = `saveCheckpoint to ${dir}`;
    const [folder] = await gatherOrFail(own, async () => (own.rank === 0 ? nextFolder(dir) : ""), where);
    const reports = await gatherOrFail(own, () => writeOwn(dir, folder, written, own), where);
    const finish = async (): Promise<null> => {
      if (own.rank !== 0) return null;
      const text = manifestText({
        ranks: own.size,
        folder,
        files: reports.map(({ file }) => file),
        tensors: tensorsOf(reports),
        metadata: history === null ? {} : { history },
      });
      await writeWhole(join(dir, MANIFEST), [text]);
      await removeOthers(dir, folder);
      return null;
    };
    await gatherOrFail(own, finish, where);
  } finally {
    for (const { data } of written) data.dispose();
    await own.close();
  }
}

/** Every rank's result, or the same error on all. */
export async function gatherOrFail<T>(
  group: ProcessGroup,
  body: () => Promise<T>,
  where: string,
): Promise<T[]> {
  let mine: { value: T } | { error: string };
  try {
    mine = { value: await body() };
  } catch (error) {
    mine = { error: (error as Error).message };
  }
  const all = await group.allGatherObject(mine);
  return all.map((one, rank) => {
    if ("error" in one) throw new MlsysError(`${where}: rank ${rank}: ${one.error}`);
    return one.value;
  });
}

/** What this rank writes: its flat parts, and of the whole tensors those that bring all ranks to as many bytes. */
function ownParts(training: Training, { rank, size }: ProcessGroup): Written[] {
  const load = new Array<number>(size).fill(0);
  return outsideScopes(() =>
    statesOf(training).flatMap((state): Written[] => {
      const value = needConcrete(state.value, "saveCheckpoint");
      if (state.kind === "flat")
        return rangesOf(state).map(({ name, shape, dtype, from, to, at }) => {
          const layout = { shape: [to - from], strides: [1], offset: value.offset + at };
          return { name, shape, dtype, from, data: viewOf(value, layout) };
        });
      const owner = load.indexOf(Math.min(...load));
      load[owner] += value.size * bytesPerElement(value.dtype);
      if (owner !== rank) return [];
      const { shape, dtype } = value;
      return [{ name: state.name, shape, dtype, from: 0, data: viewOf(value, value) }];
    }),
  );
}

async function writeOwn(
  dir: string,
  folder: string,
  written: readonly Written[],
  { rank, size }: ProcessGroup,
): Promise<Report> {
  const path = `rank-${pad(rank, 5)}-of-${pad(size, 5)}.safetensors`;
  const tensors = new Map<string, Tensor>(written.map(({ name, from, data }) => [`${name}@${from}`, data]));
  const bytes = safetensorsParts(tensors, {});
  const hash = createHash("sha256");
  for (const part of bytes) hash.update(part);
  await writeWhole(join(dir, folder, path), bytes);
  let offset = bytes[0].length;
  const parts = written.map(({ name, shape, dtype, from, data }) => {
    const entry = { name, shape, dtype, from, count: data.size, offset };
    offset += data.size * bytesPerElement(dtype);
    return entry;
  });
  return { file: { path, bytes: offset, sha256: hash.digest("hex") }, parts };
}

/** All ranks' parts, by tensor, in the order of their elements. */
function tensorsOf(reports: readonly Report[]): Map<string, ManifestTensor> {
  const out = new Map<string, { dtype: DType; shape: Shape; parts: ManifestTensor["parts"][number][] }>();
  reports.forEach(({ parts }, file) => {
    for (const { name, shape, dtype, from, count, offset } of parts) {
      const entry = out.get(name) ?? { dtype, shape, parts: [] };
      if (count > 0 || sizeOf(shape) === 0) entry.parts.push({ file, offset, from, count });
      out.set(name, entry);
    }
  });
  for (const { parts } of out.values()) parts.sort((a, b) => a.from - b.from);
  return out;
}

async function nextFolder(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  const numbers = (await folders(dir)).map((name) => Number(name.slice("save-".length)));
  return `save-${pad(Math.max(0, ...numbers) + 1, 8)}`;
}

/** What no manifest names any more: earlier checkpoints, and those that were never completed. */
async function removeOthers(dir: string, folder: string): Promise<void> {
  for (const name of await folders(dir))
    if (name !== folder) await rm(join(dir, name), { recursive: true, force: true });
}

async function folders(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => /^save-\d+$/.test(name));
}

const pad = (n: number, width: number): string => String(n).padStart(width, "0");
