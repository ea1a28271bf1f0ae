/**
 * The reducer: takes the gradients of a model as backward passes find them, fills buckets, and sends each bucket as soon as
 * it is full, beside the rest of the pass. All ranks send the same buckets in the same order: that in which gradients came in
 * rank 0's first pass.
 */
import { detached } from "../../autodiff/backward.js";
import type { GradientSink } from "../../autodiff/gradient-sink.js";
import { variableHost } from "../../autodiff/tape-mode.js";
import type { Variable } from "../../autodiff/variable.js";
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { TransformError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { bind } from "../../ops/bind.js";
import { asTensor } from "../../ops/convert.js";
import type { ProcessGroup } from "../group/process-group.js";
import { Bucket, type BucketSpan, type CommunicationHook, meanHook, sumHook } from "./bucket.js";

export interface ReducerOptions {
  readonly bucketBytes: number;
  readonly firstBucketBytes: number;
  readonly findUnused: boolean;
  readonly hook: CommunicationHook;
}

/** What is sent in a captured step: gradients are collected in the order in which the capture finds them. */
interface Staged {
  readonly order: Variable[];
  readonly open: Map<DType, [Variable, Tensor][]>;
  readonly sent: { readonly bucket: Bucket; readonly token: Tensor }[];
}

export class GradientReducer implements GradientSink {
  enabled = true;
  private buckets: Bucket[] | null = null;
  private bucketOf = new Map<Variable, Bucket>();
  /** Gradients of the first pass: nobody knows the order yet. */
  private readonly held = new Map<Variable, Tensor>();
  private readonly arrived = new Set<Variable>();
  private next = 0;
  private staged: Staged | null = null;
  private spans: BucketSpan[] = [];
  /** Buckets of captured steps. */
  private captured: Bucket[] = [];

  constructor(
    readonly parameters: readonly Variable[],
    readonly group: ProcessGroup,
    private readonly options: ReducerOptions,
  ) {}

  /** What the buckets of the last pass did, in the order in which they were sent. */
  get lastPass(): readonly BucketSpan[] {
    if (this.captured.some(({ span }) => span !== null))
      return this.captured.flatMap(({ span }) => span ?? []);
    return this.spans;
  }

  arrive(variable: Variable, gradient: Tensor): void {
    if (variableHost() !== null || gradient.trace !== null) {
      this.stage(variable, gradient.trace === null ? detached(gradient) : gradient);
      return;
    }
    this.arrived.add(variable);
    if (this.buckets === null) {
      this.held.set(variable, detached(gradient));
      return;
    }
    this.bucketOf.get(variable)?.fill(variable, gradient);
    this.startReady();
  }

  finish(): Iterable<readonly [Variable, Tensor]> {
    if (this.staged) return this.finishStaged();
    const used = this.options.findUnused ? this.usedAnywhere() : null;
    if (this.buckets === null) {
      this.buckets = this.bucketsFor(this.agreedOrder());
      for (const bucket of this.buckets)
        for (const variable of bucket.parameters) this.bucketOf.set(variable, bucket);
      for (const [variable, g] of this.held) {
        this.bucketOf.get(variable)?.fill(variable, g);
        g.dispose();
      }
      this.held.clear();
      this.startReady();
    }
    for (const bucket of this.buckets.slice(this.next)) {
      bucket.fillMissing();
      bucket.start();
    }
    this.next = 0;
    this.arrived.clear();
    const means = this.buckets.flatMap((bucket) => bucket.gradients());
    this.spans = this.buckets.flatMap(({ span }) => span ?? []);
    return used ? means.filter(([variable]) => used.has(variable)) : means;
  }

  abort(): void {
    for (const g of this.held.values()) g.dispose();
    this.held.clear();
    this.arrived.clear();
    this.next = 0;
    this.staged = null;
    for (const bucket of this.buckets ?? []) bucket.reset();
  }

  /** In order: a full bucket waits for those before it, so that all ranks send the same. */
  private startReady(): void {
    const buckets = this.buckets ?? [];
    while (this.next < buckets.length && buckets[this.next].ready) buckets[this.next++].start();
  }

  /** Rank 0's order of arrival; what did not arrive there comes last. */
  private agreedOrder(): Variable[] {
    const placeOf = new Map(this.parameters.map((variable, i) => [variable, i]));
    const own = [...this.arrived].map((variable) => placeOf.get(variable) as number);
    const order = this.group.broadcastObject(own, 0).wait();
    const known = new Set(order);
    const rest = this.parameters.map((_, i) => i).filter((i) => !known.has(i));
    return [...order, ...rest.reverse()].map((i) => this.parameters[i]);
  }

  private bucketsFor(order: readonly Variable[]): Bucket[] {
    const lists: Variable[][] = [];
    const open = new Map<DType, Variable[]>();
    for (const variable of order) {
      const list = open.get(variable.dtype) ?? [];
      list.push(variable);
      open.set(variable.dtype, list);
      if (bytesOf(list) < this.limit(lists.length)) continue;
      lists.push(list);
      open.delete(variable.dtype);
    }
    lists.push(...open.values());
    return lists.map((list, i) => {
      const bucket = new Bucket(i, list, this.group, this.options.hook);
      bucket.last = i === lists.length - 1;
      return bucket;
    });
  }

  private limit(index: number): number {
    return index === 0 ? this.options.firstBucketBytes : this.options.bucketBytes;
  }

  /** Parameters that some rank's loss depends on. */
  private usedAnywhere(): Set<Variable> {
    const flags = this.parameters.map((variable) => (this.arrived.has(variable) ? 1 : 0));
    const mine = asTensor(flags, "uint8");
    const all = this.group.allReduce(mine, { op: "max" }).wait();
    const seen = all.toTypedArray();
    all.dispose();
    mine.dispose();
    return new Set(this.parameters.filter((_, i) => seen[i] > 0));
  }

  private stage(variable: Variable, gradient: Tensor): void {
    this.staged ??= { order: [], open: new Map(), sent: [] };
    const { order, open, sent } = this.staged;
    order.push(variable);
    const list = open.get(variable.dtype) ?? [];
    list.push([variable, gradient]);
    open.set(variable.dtype, list);
    if (bytesOf(list.map(([v]) => v)) < this.limit(sent.length)) return;
    open.delete(variable.dtype);
    this.send(list);
  }

  private send(list: readonly (readonly [Variable, Tensor])[]): void {
    const { sent } = this.staged as Staged;
    const parameters = list.map(([variable]) => variable);
    const bucket = new Bucket(sent.length, parameters, this.group, this.sums ? sumHook : this.options.hook);
    const { start } = bucket.ops();
    // gradients may all be constants: a parameter besides makes it a node of the graph even then
    const anchor = variableHost()?.read(parameters[0]);
    const gradients = list.map(([, g]) => g);
    const [token] = bind(start, anchor ? [...gradients, anchor] : gradients, {});
    sent.push({ bucket, token });
  }

  private finishStaged(): [Variable, Tensor][] {
    const { order, open, sent } = this.staged as Staged;
    for (const list of open.values()) this.send(list);
    this.staged = null;
    const places = order.map((variable) => this.parameters.indexOf(variable));
    const all = this.group.allGatherObject(places).wait();
    const other = all.findIndex((list) => list.join() !== places.join());
    if (other >= 0)
      throw new TransformError(
        `DistributedDataParallel: rank ${other} has captured another program: its gradients come for parameters [${all[other]}], here for [${places}]. A captured step must be the same on all ranks; run it eagerly, with findUnused, if they take different branches`,
      );
    if (sent.length > 0) sent[sent.length - 1].bucket.last = true;
    this.captured = sent.map(({ bucket }) => bucket);
    return sent.flatMap(({ bucket, token }) => {
      const means = bind(bucket.ops().done, [token], {});
      const { size } = this.group;
      return bucket.parameters.map((variable, i): [Variable, Tensor] => [
        variable,
        this.sums ? means[i].div(size) : means[i],
      ]);
    });
  }

  /** Captured steps divide in the graph. */
  private get sums(): boolean {
    return this.options.hook === meanHook;
  }
}

function bytesOf(list: readonly Variable[]): number {
  return list.reduce((sum, { size, dtype }) => sum + size * bytesPerElement(dtype), 0);
}
