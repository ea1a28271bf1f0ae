/**
 * What a cluster costs, by the α–β model: a message of b bytes takes α + bβ, and all members send at the same time.
 * (Book, chapter 9; Chan et al. 2007 for the collectives.)
 */
import { bytesPerElement } from "../../core/dtype.js";
import { sizeOf, type TensorType } from "../../core/shape.js";
import type { LogicalMesh } from "./mesh.js";

export interface LinkCost {
  /** Seconds before a message's first byte. */
  readonly alpha: number;
  /** Seconds a byte. */
  readonly beta: number;
}

export interface ClusterCost extends LinkCost {
  /** Multiply-adds, counted as two, that a device does a second. */
  readonly flops: number;
  /** Bytes that a device reads or writes a second. */
  readonly bandwidth: number;
  /** Bytes that a device has. Default: no limit. */
  readonly memory?: number;
  /** Links along some mesh axes, where they differ from the others (between machines, for example). */
  readonly links?: Readonly<Record<string, LinkCost>>;
}

/** A100s in one server: 600 GB/s NVLink, 1,935 GB/s memory (the book's figures), 156 Tflop/s (TF32). */
export const DEFAULT_CLUSTER: ClusterCost = {
  alpha: 5e-6,
  beta: 1 / 600e9,
  flops: 156e12,
  bandwidth: 1935e9,
};

export type CollectiveName = "allReduce" | "allGather" | "reduceScatter" | "allToAll";

/**
 * Seconds of a collective over the axes on a hypercube: α·log p and the bytes that each member must move, `bytes` being what
 * each gives (the book's α·log p + (p − 1)·b·l for AllGather). The slowest axis sets the pace.
 */
export function collectiveCost(
  mesh: LogicalMesh,
  cluster: ClusterCost,
  kind: CollectiveName,
  axes: readonly string[],
  bytes: number,
): number {
  const p = mesh.count(axes);
  if (p === 1) return 0;
  const links = axes.map((axis) => cluster.links?.[axis] ?? cluster);
  const alpha = Math.max(...links.map((link) => link.alpha));
  const beta = Math.max(...links.map((link) => link.beta));
  const rounds = kind === "allReduce" ? 2 : 1; // a sum is scattered, then gathered
  const moved = rounds * (p - 1) * (kind === "allGather" ? bytes : bytes / p);
  return rounds * Math.ceil(Math.log2(p)) * alpha + moved * beta;
}

/** Bytes of a value. */
export function bytesOf({ shape, dtype }: TensorType): number {
  return sizeOf(shape) * bytesPerElement(dtype);
}
