/**
 * Collectives over bytes: what each kind is given, the same on every back end. Algorithms are asynchronous functions of a
 * member's view of its group; they know nothing of tensors or threads. (Book, chapter 9: collective communication.)
 */
import type { DType } from "../../core/dtype.js";
import type { CombineOp, ReduceOp } from "../transport/reduce-op.js";
import type { Place } from "../transport/transport.js";
import type { CostModel } from "./cost.js";

/** A member's view of its group during one operation: ranks are those of the group, the tag is the operation's own. */
export interface Member {
  readonly rank: number;
  readonly size: number;
  readonly places: readonly Place[];
  send(to: number, bytes: Uint8Array): Promise<void>;
  receive(from: number, into: Uint8Array): Promise<void>;
  /** `into = op(own, message)`, element by element. @param own default: `into` */
  receiveCombined(
    from: number,
    into: Uint8Array,
    dtype: DType,
    op: CombineOp,
    own?: Uint8Array,
  ): Promise<void>;
  /** What its links can do, by which an algorithm is chosen; the same on all members. Default: that of sockets. */
  readonly model?: CostModel;
  /** The engine's own way, taken where no algorithm is named; null if it has none for this request. */
  native?<K extends CollectiveKind>(kind: K, request: Requests<CombineOp>[K]): Promise<void> | null;
  /** `into = op(into, message)` for bytes that are here already. */
  combine(into: Uint8Array, message: Uint8Array, dtype: DType, op: CombineOp): void;
}

/** Elements that are combined, in place. */
interface Combined<Op extends ReduceOp> {
  readonly data: Uint8Array;
  readonly dtype: DType;
  readonly op: Op;
  /** The member's own elements, which stay as they are. Default: they lie in `data` already. */
  readonly from?: Uint8Array;
}

/** What each kind of collective is given. Offsets and counts are in bytes, by rank; parts lie one after the other. */
export interface Requests<Op extends ReduceOp = ReduceOp> {
  readonly barrier: Record<never, never>;
  readonly broadcast: { readonly data: Uint8Array; readonly root: number };
  /** On others than the root, `data` is scratch afterwards. */
  readonly reduce: Combined<Op> & { readonly root: number };
  readonly allReduce: Combined<Op>;
  /** `data` is the whole; the member's own part is filled in already. */
  readonly allGather: { readonly data: Uint8Array; readonly counts: readonly number[] };
  /** `data` is the whole; afterwards the member's own part is right, the rest scratch. */
  readonly reduceScatter: Combined<Op> & { readonly counts: readonly number[] };
  /** `data`: the whole on the root, the own part elsewhere. The root's own part stays where it is. */
  readonly scatter: { readonly data: Uint8Array; readonly counts: readonly number[]; readonly root: number };
  readonly gather: {
    readonly own: Uint8Array;
    /** The whole, on the root. */
    readonly data: Uint8Array | null;
    readonly counts: readonly number[];
    readonly root: number;
  };
  /** What goes to each member, and what comes from each; the member's own part is copied. */
  readonly allToAll: {
    readonly from: Uint8Array;
    readonly into: Uint8Array;
    readonly sendCounts: readonly number[];
    readonly receiveCounts: readonly number[];
  };
  readonly scan: Combined<Op> & { readonly exclusive: boolean };
}

export type CollectiveKind = keyof Requests;

/** What an algorithm is to be carried out on. */
export interface Situation {
  /** Number of members, p. */
  readonly size: number;
  /** Bytes, n: of the whole for kinds with parts (allToAll: what one member sends to all), else of a member's data. */
  readonly bytes: number;
  readonly places: readonly Place[];
}

/** Messages one after the other, and the bytes in them. */
export interface Load {
  readonly messages: number;
  readonly bytes: number;
}

/** What has to happen one after the other, on the longest path through the members (the α–β model). */
export interface Cost extends Load {
  /** Messages that wait for one another; default: all. The others may share their latencies. */
  readonly rounds?: number;
  /** Bytes combined on that path. */
  readonly combined: number;
  /** What goes over links inside of a host, where the algorithm sees to that; the rest goes over the slowest link. */
  readonly near?: Load;
}

/** One way to carry a collective out. A new one is a file with such a row, and its line in the registry. */
export interface Algorithm<K extends CollectiveKind = CollectiveKind> {
  readonly kind: K;
  /** "ring", "tree" … */
  readonly name: string;
  /** What it does in a line, and where it is from. */
  readonly about: string;
  /** If it can't do every group: why not this one. */
  readonly unfit?: (group: Pick<Situation, "size" | "places">) => string | undefined;
  /** True if it reads the member's elements from `from`; for others they are copied to `data` first. */
  readonly outOfPlace?: boolean;
  /** In closed form, for even parts; what the code does is held against it in the tests. */
  cost(on: Situation): Cost;
  /** `mean` has become `sum` here: who runs the algorithm divides afterwards. */
  run(member: Member, request: Requests<CombineOp>[K]): Promise<void>;
}
