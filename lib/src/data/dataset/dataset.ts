/**
 * Dataset: elements, described by where they come from and what is done to them. Nothing runs before somebody walks it;
 * it can be walked again and again, saved in the midst and resumed, and run on threads (see `pipeline`). What comes out
 * depends on the seeds alone. (Book, chapter 7: the programming interface of data processing.)
 */
import { ValueError } from "../../core/errors.js";
import type { WordStream } from "../../core/random.js";
import { Pipeline, type PipelineOptions } from "../engine/pipeline.js";
import { type ClaimOptions, claimNode } from "../remote/claim-node.js";
import { checkAddress, checkSecret } from "../remote/secret.js";
import { batchNode, type Group, groupNode, windowNode } from "./batch.js";
import { cacheNode } from "./cache.js";
import { type Collated, type CollateOptions, collator, paddingCollator } from "./collate.js";
import { projector, renamer } from "./columns.js";
import { concatNode, interleaveNode, repeatNode, zipNode } from "./combine.js";
import { checkDevice } from "./device.js";
import { elementNode } from "./elements.js";
import { checkPolicy } from "./failure.js";
import type { Call, DeviceMode, ElementFunction, ErrorPolicy, Node, RandomAccess } from "./node.js";
import { prefetchNode } from "./prefetch.js";
import { shardNode, skipNode, takeNode } from "./range.js";
import { bufferShuffleNode, orderShuffleNode, sampleNode, samplerNode } from "./shuffle.js";
import { indexedNode, type Source, sourceNode } from "./source.js";
import {
  type AsyncWalk,
  type Checkpoint,
  checkCheckpoint,
  type Walk,
  Walks,
  wholeNumber,
  wholeSeed,
} from "./walk.js";

export interface MapOptions {
  /** For messages, profiles and drawings. Default: the function's own name. */
  readonly name?: string;
  /**
   * Calls at once. In a walk with `for await`: so many promises wait together. In a `pipeline`: threads of the op's own;
   * "auto" lets it share threads with its neighbours, 0 keeps it on this one. Default "auto".
   */
  readonly parallel?: number | "auto";
  /** What happens when the function throws. Default "fail". */
  readonly onError?: ErrorPolicy;
  /** Of the random numbers that the function gets as its third argument. Default 0. */
  readonly seed?: number;
  /** Where the op works; behind "mixed" or "gpu" all are "gpu". Default "cpu". */
  readonly device?: DeviceMode;
}

/** The elements' own random numbers: the same whoever computes the element, and when. */
export type ElementRandom = Pick<WordStream, "next" | "below" | "uniform">;

type Renamed<T, N> = {
  [K in keyof T as K extends keyof N ? (N[K] extends string ? N[K] : K) : K]: T[K];
};

type Elements<D extends readonly Dataset<unknown>[]> = {
  -readonly [K in keyof D]: D[K] extends Dataset<infer T> ? T : never;
};

/** Elements that are computed when they are asked for. Made by `Dataset.from`, `range`, and the methods. */
export class Dataset<T> implements Iterable<T>, AsyncIterable<T> {
  /** Number of elements, where it is known. */
  readonly size: number | undefined;

  constructor(
    /** The ops: what an engine runs. */
    readonly node: Node<T>,
    private readonly walks: Walks<T> = new Walks(node),
  ) {
    this.size = node.size;
  }

  /**
   * The elements of a list, of anything that can be iterated (also asynchronously), of what has `length` and `at(i)`; or
   * of what a function gives at the start of each walk. A generator object can be walked once only: give its function.
   * @example [...data.Dataset.from([1, 2, 3]).map((x) => x * x)] // [1, 4, 9]
   */
  static from<T>(source: Exclude<Source<T>, RandomAccess<T>>): Dataset<T>;
  static from<T>(source: RandomAccess<T>): Dataset<T>; // lists are taken by the first: their at(i) may give undefined
  static from<T>(source: Source<T>): Dataset<T> {
    return new Dataset(sourceNode(source));
  }

  /** 0 … count − 1, by position: the start of a dataset of files or rows. */
  static range(count: number): Dataset<number> {
    wholeNumber("range", count, 0);
    return new Dataset(indexedNode("range", [], count, () => ({ length: count, at: (i) => i })));
  }

  /** Lists of one element of each dataset, as long as all have one. */
  static zip<const D extends readonly Dataset<unknown>[]>(...datasets: D): Dataset<Elements<D>> {
    if (datasets.length === 0) throw new ValueError("dataset: zip wants at least one dataset");
    return new Dataset(zipNode(datasets.map(({ node }) => node)) as Node<Elements<D>>);
  }

  [Symbol.iterator](): Walk<T> {
    return this.walks.sync();
  }

  [Symbol.asyncIterator](): AsyncWalk<T> {
    return this.walks.async();
  }

  /**
   * The same dataset, whose first walk goes on where `checkpoint` (an iterator's `state()`) was taken; the walks after it
   * are the epochs after that one.
   * @throws ValueError if it is a checkpoint of other ops
   */
  resume(checkpoint: Checkpoint): Dataset<T> {
    checkCheckpoint(checkpoint, this.node);
    return new Dataset(this.node, new Walks(this.node, checkpoint));
  }

  /** The same elements in the same order, computed on worker threads. */
  pipeline(options: PipelineOptions = {}): Pipeline<T> {
    const pipeline = new Pipeline(this.node, options);
    return this.walks.begin ? pipeline.resume(this.walks.begin) : pipeline;
  }

  /** The ops, from the source to the last. */
  toString(): string {
    const text = (node: Node): string =>
      node.inputs.length === 0
        ? node.name
        : node.inputs.length === 1
          ? `${text(node.inputs[0])} → ${node.name}`
          : `${node.name}[${node.inputs.map(text).join("; ")}]`;
    return text(this.node);
  }

  /** Each element through `f`, which may be asynchronous. An error names the op and the element. */
  map<U>(
    f: (item: T, index: number, random: ElementRandom) => U,
    options: MapOptions = {},
  ): Dataset<Awaited<U>> {
    return this.with(elementNode("map", this.node, this.call("map", f, options)));
  }

  /** The elements for which `keep` holds. */
  filter(
    keep: (item: T, index: number, random: ElementRandom) => boolean | Promise<boolean>,
    options: MapOptions = {},
  ): Dataset<T> {
    return this.with(elementNode("filter", this.node, this.call("filter", keep, options)));
  }

  /** The elements of what `f` gives for each element. */
  flatMap<U>(
    f: (
      item: T,
      index: number,
      random: ElementRandom,
    ) => Iterable<U> | AsyncIterable<U> | Promise<Iterable<U>>,
    options: MapOptions = {},
  ): Dataset<U> {
    return this.with(elementNode("flatMap", this.node, this.call("flatMap", f, options)));
  }

  /** The columns of these names. */
  project<const K extends readonly (keyof T & string)[]>(...names: K): Dataset<Pick<T, K[number]>> {
    const f = projector(names);
    return this.with(elementNode("map", this.node, this.call(`project(${names})`, f, {}, true), "project"));
  }

  /** Columns under other names: `rename({ image: "x" })`. */
  rename<const N extends Readonly<Partial<Record<keyof T & string, string>>>>(
    names: N,
  ): Dataset<Renamed<T, N>> {
    const f = renamer(names as Record<string, string>);
    return this.with(elementNode("map", this.node, this.call("rename", f, {}, true), "rename"));
  }

  /** Lists of `count` elements. */
  batch(count: number, { dropRemainder = false } = {}): Dataset<T[]> {
    wholeNumber("batch", count, 1);
    return this.with(batchNode(this.node, count, dropRemainder));
  }

  /** Lists of elements as tensors: behind `batch`. */
  collate<U>(this: Dataset<readonly U[]>, options: CollateOptions = {}): Dataset<Collated<U>> {
    const f = collator(options);
    return this.with(elementNode("map", this.node, this.call("collate", f, {}, true), "collate"));
  }

  /** Batches of tensors whose arrays are filled up with `value` to the longest of the batch. */
  paddedBatch(
    count: number,
    {
      value = 0,
      dropRemainder = false,
      ...options
    }: CollateOptions & { value?: number; dropRemainder?: boolean } = {},
  ): Dataset<Collated<T>> {
    wholeNumber("paddedBatch", count, 1);
    const f = paddingCollator(value, options);
    const batch = batchNode(this.node, count, dropRemainder);
    return this.with(elementNode("map", batch, this.call("paddedBatch", f, {}, true), "paddedBatch"));
  }

  /**
   * Another order at each walk. With a `buffer`, each element is drawn from a buffer of the next `buffer` ones. Without,
   * the order is one of all elements, and takes no memory: the dataset must have its elements by position (`range`, a
   * list, and `map`, `take`, `skip`, `shard`, `concat` of such).
   */
  shuffle(buffer?: number, seed?: number): Dataset<T>;
  shuffle(options: { readonly buffer?: number; readonly seed?: number }): Dataset<T>;
  shuffle(given: number | { readonly buffer?: number; readonly seed?: number } = {}, second = 0): Dataset<T> {
    const { buffer, seed = 0 } = typeof given === "object" ? given : { buffer: given, seed: second };
    wholeSeed(seed);
    if (buffer === undefined) {
      this.needPositions("shuffle without a buffer");
      return this.with(orderShuffleNode(this.node, seed));
    }
    return this.with(bufferShuffleNode(this.node, wholeNumber("shuffle", buffer, 1), seed));
  }

  /** `count` elements drawn with replacement, evenly or by `weights`. The dataset must have its elements by position. */
  sample(
    count: number,
    { seed = 0, weights }: { seed?: number; weights?: ArrayLike<number> } = {},
  ): Dataset<T> {
    const size = this.needPositions("sample");
    wholeNumber("sample", count, 0);
    if (weights) {
      if (weights.length !== size)
        throw new ValueError(
          `dataset: sample wants a weight for each of ${size} elements, got ${weights.length}`,
        );
      const list = Array.from(weights);
      if (!list.every((w) => w >= 0 && Number.isFinite(w)) || !list.some((w) => w > 0))
        throw new ValueError("dataset: sample wants weights from 0, one of them above 0");
    } else if (size === 0 && count > 0) throw new ValueError("dataset: sample has no element to draw from");
    return this.with(sampleNode(this.node, { count, seed: wholeSeed(seed), ...(weights && { weights }) }));
  }

  /** Elements at the positions that `positions(length, epoch)` lists. The dataset must have its elements by position. */
  sampler(positions: (length: number, epoch: number) => ArrayLike<number>): Dataset<T> {
    this.needPositions("sampler");
    return this.with(samplerNode(this.node, positions));
  }

  /** `count` walks in a row, each with another order of its shuffles; without end if left out. */
  repeat(count: number = Number.POSITIVE_INFINITY): Dataset<T> {
    if (count !== Number.POSITIVE_INFINITY) wholeNumber("repeat", count, 0);
    return this.with(repeatNode(this.node, count));
  }

  /** Pairs of an element of this dataset and one of another. */
  zip<U>(other: Dataset<U>): Dataset<[T, U]> {
    return Dataset.zip(this, other) as Dataset<[T, U]>;
  }

  /** These elements, then those of the others. */
  concat<U>(...others: readonly Dataset<U>[]): Dataset<T | U> {
    return new Dataset<T | U>(concatNode<T | U>([this.node, ...others.map(({ node }) => node)]));
  }

  /** The first `count` elements. */
  take(count: number): Dataset<T> {
    wholeNumber("take", count, 0);
    return this.with(takeNode(this.node, count));
  }

  /** What comes behind the first `count` elements. */
  skip(count: number): Dataset<T> {
    wholeNumber("skip", count, 0);
    return this.with(skipNode(this.node, count));
  }

  /**
   * The part of one of `count` ranks: every `count`-th element. Behind a shuffle with the same seed on all ranks, the
   * parts of each epoch are disjoint and complete. A state of any rank holds for all, as they go in step, and for other
   * numbers of ranks too: `resume` divides what is left of the epoch among those of now.
   * @param even if the elements can't be divided: "drop" (or true) leaves out the last ones; "pad" gives the first ones
   *   of the epoch again (of a dataset without positions: those of the last round), as PyTorch's DistributedSampler does.
   *   Default: the last ranks have one element less
   * @example const parts = [0, 1].map((rank) => [...data.Dataset.range(3).shard(rank, 2, { even: "pad" })]); parts // [[0, 2], [1, 0]]
   */
  shard(rank: number, count: number, { even = false }: { even?: boolean | "drop" | "pad" } = {}): Dataset<T> {
    wholeNumber("shard", count, 1);
    wholeNumber("shard", rank, 0);
    if (rank >= count) throw new ValueError(`dataset: shard has ranks 0 … ${count - 1}, got ${rank}`);
    if (typeof even !== "boolean" && even !== "drop" && even !== "pad")
      throw new ValueError(`dataset: shard wants even true, "drop" or "pad", got ${JSON.stringify(even)}`);
    return this.with(shardNode(this.node, rank, count, even === true ? "drop" : even));
  }

  /**
   * Of the elements of each epoch, those that a dispatcher (`dispatchData`) gives to this consumer: each goes to exactly one
   * of those that claim under the same name, to who asks first. What a consumer that died held is given to another one; an
   * epoch ends when all have finished theirs. The dataset must have its elements by position, and walks are asynchronous.
   */
  claim(options: ClaimOptions): Dataset<T> {
    this.needPositions("claim");
    checkSecret(options.secret);
    checkAddress("claim's dispatcher", options.dispatcher, options.secret);
    if (options.block !== undefined) wholeNumber("claim's block", options.block, 1);
    return this.with(claimNode(this.node, options));
  }

  /** Lists of `size` elements that follow one another, each starting `shift` behind the one before. */
  window(
    size: number,
    {
      shift = size,
      stride = 1,
      dropRemainder = true,
    }: { shift?: number; stride?: number; dropRemainder?: boolean } = {},
  ): Dataset<T[]> {
    wholeNumber("window", size, 1);
    wholeNumber("window's shift", shift, 1);
    wholeNumber("window's stride", stride, 1);
    return this.with(windowNode(this.node, { size, shift, stride, dropRemainder }));
  }

  /** Lists of `size` elements of the same key, given when they are full; what is left over comes in the end. */
  groupBy<K>(
    key: (item: T) => K,
    { size = Number.POSITIVE_INFINITY }: { size?: number } = {},
  ): Dataset<Group<K, T>> {
    if (size !== Number.POSITIVE_INFINITY) wholeNumber("groupBy", size, 1);
    return this.with(groupNode(this.node, key as (item: unknown) => K, size) as Node<Group<K, T>>);
  }

  /** The elements of the datasets that `f` makes: of `cycle` ones at a time, `block` elements of each in turn. */
  interleave<U>(
    f: (item: T) => Dataset<U>,
    { cycle = 4, block = 1 }: { cycle?: number; block?: number } = {},
  ): Dataset<U> {
    wholeNumber("interleave's cycle", cycle, 1);
    wholeNumber("interleave's block", block, 1);
    return this.with(interleaveNode(this.node, (item) => f(item as T).node, cycle, block));
  }

  /** Keeps the elements of the first whole walk, in memory or in a file; later walks read those. */
  cache(file?: string): Dataset<T> {
    return this.with(cacheNode(this.node, file));
  }

  /** Makes up to `count` elements ahead while the consumer of a walk with `for await` works. */
  prefetch(count = 2): Dataset<T> {
    wholeNumber("prefetch", count, 1);
    return this.with(prefetchNode(this.node, count));
  }

  /** A dataset of one more op; the methods' types say what it has. */
  private with<U>(node: Node): Dataset<U> {
    return new Dataset(node as Node<U>);
  }

  /** @param follows true for ops that arrange what is there, wherever that is */
  private call(op: string, f: ElementFunction, options: MapOptions, follows = false): Call {
    const { parallel = "auto", onError = "fail", seed = 0, device } = options;
    if (typeof f !== "function") throw new ValueError(`dataset: ${op} wants a function, got ${typeof f}`);
    const own = options.name ?? (op === "map" || op === "filter" || op === "flatMap" ? f.name : "");
    const name = own === "" ? op : `${op}(${own})`;
    if (parallel !== "auto") wholeNumber(`${name}'s parallel`, parallel, 0);
    const call = { f, name, seed: wholeSeed(seed), onError: checkPolicy(name, onError), parallel };
    return { ...call, device: checkDevice(this.node, name, device, follows) };
  }

  private needPositions(what: string): number {
    if (this.node.indexed && this.size !== undefined) return this.size;
    throw new ValueError(
      `dataset: ${what} wants elements by position, and ${this.node.name} gives them one after the other; shuffle before it, or with a buffer`,
    );
  }
}
