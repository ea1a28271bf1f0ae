/** What a parameter server holds and promises: the tensors, their partitions, consistency, replication, the optimizer. */
import { MlsysError, ValueError } from "../../core/errors.js";
import { RULES, type RuleName } from "./rule.js";

/** A whole tensor, cut into slices. Values are float32. */
export interface DenseSpec {
  readonly kind: "dense";
  readonly name: string;
  readonly shape: readonly number[];
}

/** A table of rows that are pushed and pulled by id (an embedding); only rows that were pushed take memory. */
export interface RowsSpec {
  readonly kind: "rows";
  readonly name: string;
  /** Ids are 0 … rows − 1; below 2³². */
  readonly rows: number;
  readonly width: number;
  /** Deviation of the normal numbers that a row begins with, a function of `seed` and the id. Default 0: zeros. */
  readonly deviation?: number;
  readonly seed?: number;
}

export type TensorSpec = DenseSpec | RowsSpec;

/**
 * When a gradient counts, and how far workers may run apart.
 * - `sync` (bulk-synchronous): a step applies the mean of the gradients of all workers; all see the same versions.
 * - `async`: each gradient at once, from whatever version it was computed.
 * - `stale` (stale-synchronous, Ho et al. 2013): as `async`, but nobody begins step c before all have done c − bound.
 * - `backup` (backup workers, Chen et al. 2016): as `sync`, but a step goes on with the first `fraction` of the gradients;
 *   later ones are dropped and counted.
 */
export type Consistency =
  | { readonly mode: "sync" }
  | { readonly mode: "async" }
  | { readonly mode: "stale"; readonly bound: number }
  | { readonly mode: "backup"; readonly fraction: number };

/**
 * Copies of each partition.
 * - `none`: a server that dies takes its partitions with it.
 * - `leader`: a leader answers and sends on; acknowledged once `acknowledgements` followers have it too. With 0 that is
 *   asynchronous: what was acknowledged last may be lost with the leader. With n, it survives the loss of any n servers.
 * - `chain` (van Renesse and Schneider 2004): head to tail; acknowledged once the tail has it, read from the tail.
 *   Nothing acknowledged is lost while one of them lives, and reads see all that was acknowledged.
 */
export type Replication =
  | { readonly mode: "none" }
  | { readonly mode: "leader"; readonly copies: number; readonly acknowledgements: number }
  | { readonly mode: "chain"; readonly copies: number };

export interface OptimizerSpec {
  readonly rule: RuleName;
  /** Learning rate. */
  readonly lr: number;
  /** The rule's other options: momentum, beta1, weightDecay … */
  readonly [option: string]: number | string | boolean;
}

export interface JobOptions {
  readonly tensors: readonly TensorSpec[];
  readonly optimizer: OptimizerSpec;
  /** Members of the synchronous modes, numbered from 0. Default 1. */
  readonly workers?: number;
  /** Default `{ mode: "sync" }`. */
  readonly consistency?: Consistency;
  /** Default `{ mode: "none" }`. */
  readonly replication?: Replication;
  /** Pieces that keys are spread over; a partition lies on one server (and its copies). Default 8. */
  readonly partitions?: number;
  /** `range`: neighbouring elements and rows together, evenly; `hash`: scattered by a hash of the key. Default range. */
  readonly partitioner?: "range" | "hash";
  /** Most elements in a slice of a dense tensor. Default 65 536. */
  readonly sliceElements?: number;
  /** Gradients' elements are cut to ±this before they are applied. */
  readonly clipValue?: number | null;
  /** `inverse`: a gradient that is τ versions old counts 1/τ (Zhang et al. 2016; async and stale). Default all the same. */
  readonly lateWeight?: "same" | "inverse";
}

export type Job = Required<JobOptions>;

/** All copies of a partition are gone. */
export class PartitionLostError extends MlsysError {
  override name = "PartitionLostError";
}

const whole = (what: string, value: unknown, low: number, high = 2 ** 32): void => {
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high)
    throw new ValueError(`parameter server: ${what} is a whole number from ${low}, got ${String(value)}`);
};

/** Fills in what was left out. @throws ValueError for options that no server could run */
export function checkJob(options: JobOptions): Job {
  const job: Job = {
    tensors: options.tensors,
    optimizer: options.optimizer,
    workers: options.workers ?? 1,
    consistency: options.consistency ?? { mode: "sync" },
    replication: options.replication ?? { mode: "none" },
    partitions: options.partitions ?? 8,
    partitioner: options.partitioner ?? "range",
    sliceElements: options.sliceElements ?? 65_536,
    clipValue: options.clipValue ?? null,
    lateWeight: options.lateWeight ?? "same",
  };
  whole("workers", job.workers, 1, 65_536);
  whole("partitions", job.partitions, 1, 4096);
  whole("sliceElements", job.sliceElements, 1);
  if (!Array.isArray(job.tensors) || job.tensors.length === 0)
    throw new ValueError("parameter server: there is no tensor to hold");
  const names = new Set<string>();
  for (const spec of job.tensors) {
    if (typeof spec.name !== "string" || names.has(spec.name))
      throw new ValueError(`parameter server: two tensors are named ${JSON.stringify(spec.name)}`);
    names.add(spec.name);
    if (spec.kind === "rows") {
      whole(`${spec.name}'s rows`, spec.rows, 1);
      whole(`${spec.name}'s width`, spec.width, 1, 2 ** 24);
      if (!((spec.deviation ?? 0) >= 0))
        throw new ValueError(
          `parameter server: ${spec.name}'s deviation is not negative, got ${spec.deviation}`,
        );
    } else if (spec.kind === "dense" && Array.isArray(spec.shape)) {
      for (const size of spec.shape) whole(`${spec.name}'s shape`, size, 0);
    } else throw new ValueError(`parameter server: ${spec.name} is neither dense nor rows`);
  }
  checkConsistency(job.consistency);
  checkReplication(job.replication);
  if (!["range", "hash"].includes(job.partitioner) || !["same", "inverse"].includes(job.lateWeight))
    throw new ValueError(
      `parameter server: partitioner is "range" or "hash", lateWeight "same" or "inverse"; got ${JSON.stringify(job.partitioner)} and ${JSON.stringify(job.lateWeight)}`,
    );
  if (job.clipValue !== null && !(job.clipValue > 0))
    throw new ValueError(`parameter server: clipValue is above 0, got ${job.clipValue}`);
  if (!Object.hasOwn(RULES, job.optimizer?.rule))
    throw new ValueError(
      `parameter server: the optimizer's rule is one of ${Object.keys(RULES).join(", ")}, got ${JSON.stringify(job.optimizer?.rule)}`,
    );
  return job;
}

function checkConsistency(consistency: Consistency): void {
  if (consistency.mode === "stale") whole("the bound of stale", consistency.bound, 0);
  else if (consistency.mode === "backup") {
    if (!(consistency.fraction > 0 && consistency.fraction <= 1))
      throw new ValueError(`parameter server: backup's fraction is in (0, 1], got ${consistency.fraction}`);
  } else if (consistency.mode !== "sync" && consistency.mode !== "async")
    throw new ValueError(
      `parameter server: the modes are sync, async, stale and backup, got ${JSON.stringify(consistency)}`,
    );
}

function checkReplication(replication: Replication): void {
  if (replication.mode === "none") return;
  if (replication.mode !== "leader" && replication.mode !== "chain")
    throw new ValueError(
      `parameter server: replication is none, leader or chain, got ${JSON.stringify(replication)}`,
    );
  whole("copies", replication.copies, 1, 64);
  if (replication.mode === "leader")
    whole("acknowledgements", replication.acknowledgements, 0, replication.copies - 1);
}

/** Servers that hold a partition, when all is well. */
export const copiesOf = ({ replication }: Job): number =>
  replication.mode === "none" ? 1 : replication.copies;
