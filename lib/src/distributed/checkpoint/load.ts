/** Loading: whatever number of ranks wrote it, each rank reads what it needs. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { noGrad } from "../../autodiff/tape-mode.js";
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import { formatShape, type Shape, sameShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import { type DenseTensor, denseFromBytes, viewOf } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import type { Training } from "../../train/checkpoint.js";
import { History } from "../../train/history.js";
import { loadSafetensors, readSafetensorsHeader, saveSafetensors } from "../../train/safetensors.js";
import { DistributedDataParallel } from "../data-parallel/ddp.js";
import { copyInto, flatBuffer, hostBytes } from "../data-parallel/flat.js";
import type { ProcessGroup } from "../group/process-group.js";
import { FullyShardedDataParallel } from "../zero/fsdp.js";
import { type Manifest, readManifest } from "./manifest.js";
import { gatherOrFail } from "./save.js";
import { type FlatState, rangesOf, type State, statesOf } from "./state.js";

/** A checkpoint that is read by ranges of elements. */
interface Source {
  readonly where: string;
  readonly tensors: ReadonlyMap<string, { readonly dtype: DType; readonly shape: Shape }>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Elements [from, to), row-major. The caller disposes it. */
  read(name: string, from: number, to: number): Promise<DenseTensor>;
  /** Checks files `part`, `part + of`, …: against what was written. */
  verify(part: number, of: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Puts a checkpoint's state back into a training that may be spread over another number of ranks, or in another way, than the
 * one that was saved. Also reads plain files of `train.saveCheckpoint`. All ranks call it.
 * @param path the folder of `saveCheckpoint`, or a file
 * @param group the ranks; without one, this process has the whole training
 * @throws MlsysError on all ranks if there is no checkpoint, a file is missing or damaged, or it does not fit the training;
 *   nothing is assigned then.
 * @example
 * const model = new nn.Dense(2, 1);
 * await train.saveCheckpoint("/tmp/mlsys-example.safetensors", { model });
 * await distributed.loadCheckpoint("/tmp/mlsys-example.safetensors", { model })
 */
export async function loadCheckpoint(path: string, training: Training, group?: ProcessGroup): Promise<void> {
  const load = async (): Promise<Loaded> => {
    const source = await openSource(path);
    try {
      await source.verify(group?.rank ?? 0, group?.size ?? 1);
      return await read(source, training);
    } finally {
      await source.close();
    }
  };
  let loaded: Loaded | null = null;
  const once = async (): Promise<null> => {
    loaded = await load();
    return null;
  };
  if (group) await gatherOrFail(group, once, `loadCheckpoint from ${path}`);
  else await once();
  (loaded as unknown as Loaded).assign();
}

/**
 * Writes a distributed checkpoint as one plain file, for `train.loadCheckpoint` and other programs.
 * @example
 * const job = () => distributed.consolidateCheckpoint("checkpoint", "model.safetensors");
 * @throws MlsysError if there is no checkpoint, or it is damaged
 */
export async function consolidateCheckpoint(dir: string, file: string): Promise<void> {
  const source = await openSource(dir);
  try {
    await source.verify(0, 1);
    const tensors = new Map<string, Tensor>();
    for (const [name, { shape }] of source.tensors) tensors.set(name, await whole(source, name, shape));
    await saveSafetensors(file, tensors, source.metadata);
    for (const value of tensors.values()) value.dispose();
  } finally {
    await source.close();
  }
}

interface Loaded {
  /** Synchronous: all or nothing. */
  assign(): void;
}

async function read(source: Source, training: Training): Promise<Loaded> {
  const states = statesOf(training);
  checkFits(source, states);
  const history = training.history ? historyOf(source) : null;
  const values: [State, DenseTensor][] = [];
  for (const state of states)
    values.push([
      state,
      state.kind === "flat"
        ? await flatPart(source, state)
        : await whole(source, state.name, state.value.shape),
    ]);
  return {
    assign: () => {
      const model = new Map<string, Tensor>();
      const optimizer = new Map<string, Tensor>();
      for (const [state, value] of values) {
        if (state.kind === "flat" && state.own === null) state.flat.shard.assign(value);
        else if (state.kind === "whole" && state.name.startsWith("model.")) model.set(state.own, value);
        else optimizer.set(state.own as string, value);
      }
      for (const [name, variable] of variablesOf(training)) {
        const value = model.get(name);
        if (value) variable.assign(value.cast(variable.dtype));
      }
      training.optimizer?.loadStateDict(optimizer);
      for (const [, value] of values) value.dispose();
      if (history) training.history?.continueFrom(history);
    },
  };
}

const variablesOf = ({ model }: Training) =>
  model instanceof DistributedDataParallel || model instanceof FullyShardedDataParallel
    ? model.module.namedVariables()
    : model.namedVariables();

/** @throws MlsysError that lists what is missing, unknown or misshapen */
function checkFits(source: Source, states: readonly State[]): void {
  const wanted = new Map<string, Shape>();
  for (const state of states) {
    if (state.kind === "whole") wanted.set(state.name, state.value.shape);
    else state.names.forEach((name, i) => void wanted.set(name, state.flat.layout.pieces[i].shape));
  }
  const kinds = new Set([...wanted.keys()].map((name) => name.slice(0, name.indexOf("."))));
  const problems: string[] = [];
  for (const [name, shape] of wanted) {
    const found = source.tensors.get(name);
    if (!found) problems.push(`${name} is missing`);
    else if (!sameShape(found.shape, shape))
      problems.push(`${name} has shape ${formatShape(found.shape)}, the training's is ${formatShape(shape)}`);
  }
  for (const name of source.tensors.keys())
    if (!wanted.has(name) && kinds.has(name.slice(0, name.indexOf("."))))
      problems.push(`${name} is not in the training`);
  if (problems.length === 0) return;
  const more = problems.length > 8 ? `; and ${problems.length - 8} more` : "";
  throw new MlsysError(`${source.where}: ${problems.slice(0, 8).join("; ")}${more}`);
}

function historyOf({ metadata, where }: Source): History {
  if (metadata.history === undefined)
    throw new MlsysError(`${where}: this checkpoint has no history; load it without one`);
  try {
    return History.fromJSON(JSON.parse(metadata.history));
  } catch (cause) {
    throw new MlsysError(`${where}: the history is damaged: ${(cause as Error).message}`, { cause });
  }
}

async function whole(source: Source, name: string, shape: Shape): Promise<DenseTensor> {
  const size = shape.reduce((a, b) => a * b, 1);
  const flat = await source.read(name, 0, size);
  const value = needConcrete(flat.reshape(shape), name);
  if (value !== flat) flat.dispose();
  return value;
}

async function flatPart(source: Source, state: FlatState): Promise<DenseTensor> {
  const { dtype } = state.value;
  const part = flatBuffer(state.flat.chunk, dtype);
  part.storage.bytes().fill(0);
  for (const { name, from, to, at } of rangesOf(state)) {
    const found = await source.read(name, from, to);
    const own = noGrad(() => needConcrete(found.cast(dtype), name));
    copyInto(part, at, hostBytes(own));
    if (own !== found) own.dispose();
    found.dispose();
  }
  return part;
}

async function openSource(path: string): Promise<Source> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new MlsysError(`${path}: there is no checkpoint`, { cause });
  });
  return found.isDirectory() ? sharded(path, await readManifest(path)) : plain(path);
}

/** One file of `train.saveCheckpoint`. */
async function plain(file: string): Promise<Source> {
  const { metadata } = await readSafetensorsHeader(file);
  const tensors = await loadSafetensors(file);
  return {
    where: file,
    tensors,
    metadata,
    async read(name, from, to) {
      const value = tensors.get(name) as DenseTensor;
      return viewOf(value, { shape: [to - from], strides: [1], offset: value.offset + from });
    },
    async verify() {},
    async close() {
      for (const value of tensors.values()) value.dispose();
    },
  };
}

async function sharded(dir: string, manifest: Manifest): Promise<Source> {
  const { tensors, metadata, files, folder } = manifest;
  const pathOf = (file: number): string => join(dir, folder, files[file].path);
  const handles = await Promise.all(
    files.map((_, i) =>
      open(pathOf(i), "r").catch((cause: unknown) => {
        throw new MlsysError(
          `${dir}: the checkpoint is incomplete: ${folder}/${files[i].path}, which its manifest names, is missing`,
          { cause },
        );
      }),
    ),
  );
  const damaged = (file: number, why: string): MlsysError =>
    new MlsysError(`${dir}: the checkpoint is damaged: ${folder}/${files[file].path} ${why}`);
  return {
    where: dir,
    tensors,
    metadata,
    async read(name, from, to) {
      const { dtype, parts } = tensors.get(name) as NonNullable<ReturnType<typeof tensors.get>>;
      const width = bytesPerElement(dtype);
      const bytes = new Uint8Array((to - from) * width);
      for (const part of parts) {
        const [first, last] = [Math.max(from, part.from), Math.min(to, part.from + part.count)];
        let at = (first - from) * width;
        let position = part.offset + (first - part.from) * width;
        while (at < (last - from) * width) {
          const length = Math.min((last - from) * width - at, 2 ** 30);
          const { bytesRead } = await handles[part.file].read(bytes, at, length, position);
          if (bytesRead === 0) throw damaged(part.file, `ends before ${name}`);
          at += bytesRead;
          position += bytesRead;
        }
      }
      return denseFromBytes(bytes, [to - from], dtype, getDevice());
    },
    async verify(part, of) {
      for (let file = part; file < files.length; file += of) {
        const { size } = await handles[file].stat();
        if (size !== files[file].bytes)
          throw damaged(file, `has ${size} bytes, ${files[file].bytes} were written`);
        const hash = createHash("sha256");
        for await (const chunk of createReadStream(pathOf(file))) hash.update(chunk as Uint8Array);
        if (hash.digest("hex") !== files[file].sha256)
          throw damaged(file, "has other bytes than were written");
      }
    },
    async close() {
      await Promise.all(handles.map((handle) => handle.close()));
    },
  };
}
