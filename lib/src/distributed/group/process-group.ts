/**
 * Process group: the members of a job, or some of them, and what they do together. The calls are those of MPI and
 * torch.distributed; each returns at once a handle on work that goes on beside the caller's computation.
 * (Book, chapter 9: collective communication.)
 */
import type { DType } from "../../core/dtype.js";
import type { Shape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import type { CostModel } from "../collectives/cost.js";
import type { Step } from "../collectives/schedule.js";
import type { ReduceOp } from "../transport/reduce-op.js";

/** Work under way. `await` it, or block this thread until it is done (inside of a forward or backward pass). */
export interface Work<T = void> extends PromiseLike<T> {
  /** True when it is finished, well or not. */
  readonly done: boolean;
  /** Blocks this thread. @throws what went wrong; GroupTimeoutError after the group's timeout */
  wait(): T;
}

export interface GroupOptions {
  /** Milliseconds after which an operation that has not finished fails on this member. Default 300,000. */
  readonly timeout?: number;
}

/** The value of a tensor that is to come. */
export interface Expected {
  readonly shape: Shape;
  readonly dtype: DType;
}

export interface CollectiveOptions {
  /** Name of the algorithm; default: what the cost model says is fastest for this size and topology. */
  readonly algorithm?: string;
  /**
   * Gets what this member did, when the operation is done: times are seconds since 1970, so that members' steps can be put
   * together. (An engine's own collectives show nothing; ours are used instead.)
   */
  readonly trace?: Step[];
}

export interface ReduceOptions extends CollectiveOptions {
  /** Default "sum". */
  readonly op?: ReduceOp;
}

/**
 * Every member must call the same operations in the same order, with the same shapes and dtypes (except where said).
 * Tensors given are not changed; results are new ones. The order of different groups' operations is free.
 */
export interface ProcessGroup {
  /** "threads", "tcp", "mpi", "nccl". */
  readonly backend: string;
  /** This member's number in the group. */
  readonly rank: number;
  readonly size: number;
  /** The members' numbers in the whole job, by rank in this group. */
  readonly ranks: readonly number[];

  send(x: Tensor, to: number, options?: { readonly tag?: number }): Work;
  receive(like: Expected, from: number, options?: { readonly tag?: number }): Work<Tensor>;

  barrier(): Work;
  /** Root's tensor on all. On the others `x` says shape and dtype only. */
  broadcast(x: Tensor | Expected, root?: number, options?: CollectiveOptions): Work<Tensor>;
  /** The members' tensors, combined, on `root`; `null` elsewhere. */
  reduce(x: Tensor, root?: number, options?: ReduceOptions): Work<Tensor | null>;
  /** The members' tensors, combined, on all. */
  allReduce(x: Tensor, options?: ReduceOptions): Work<Tensor>;
  /** The members' tensors, one after the other along `axis` (default 0), on all; they may differ along `axis` only. */
  allGather(x: Tensor, options?: CollectiveOptions & { readonly axis?: number }): Work<Tensor>;
  /** The tensors combined, of which each member gets its part along `axis` (default 0); as even as possible, the first get more. */
  reduceScatter(x: Tensor, options?: ReduceOptions & { readonly axis?: number }): Work<Tensor>;
  /** Root's tensor in parts along axis 0, as even as possible. On the others `x` says the whole's shape and dtype. */
  scatter(x: Tensor | Expected, root?: number, options?: CollectiveOptions): Work<Tensor>;
  /** The members' tensors, one after the other along axis 0, on `root`; `null` elsewhere. */
  gather(x: Tensor, root?: number, options?: CollectiveOptions): Work<Tensor | null>;
  /**
   * Part i along axis 0 goes to member i; what comes, in the order of ranks.
   * @param options `counts`: rows for each member (default even); `receive`: rows from each (default as even)
   */
  allToAll(
    x: Tensor,
    options?: CollectiveOptions & {
      readonly counts?: readonly number[];
      readonly receive?: readonly number[];
    },
  ): Work<Tensor>;
  /** Member r gets the combination of members 0 … r (`exclusive`: 0 … r−1; the first one zeros). */
  scan(x: Tensor, options?: ReduceOptions & { readonly exclusive?: boolean }): Work<Tensor>;

  /** Any value that structured clone takes, from `root` to all. */
  broadcastObject<T>(value: T, root?: number): Work<T>;
  /** Every member's value, by rank. */
  allGatherObject<T>(value: T): Work<T[]>;

  /**
   * Measures what the members' links can do: latency α and time per byte β inside of a host and between hosts, and the
   * time γ to combine a byte. `fastest` tells by them which algorithm to name.
   */
  calibrate(): Work<CostModel>;

  /**
   * A group of some members. All members of this group call it with the same list, in the same order of calls.
   * @param options default: this group's
   * @returns `null` on those that are not in it
   */
  subgroup(ranks: readonly number[], options?: GroupOptions): ProcessGroup | null;
  /** Groups of those that give the same `color`, ordered by `key` and then rank (MPI_Comm_split). */
  split(color: number, key?: number): Work<ProcessGroup>;
  /**
   * Waits for what is under way, then leaves: others that still want something of this member get PeerLostError. A group
   * that `init` gave says goodbye to the job.
   */
  close(): Promise<void>;
  /** Leaves at once: what is under way fails, here and on the others, who are told `why`. */
  abandon(why: string): Promise<void>;
}
