/**
 * Arena: one piece of memory for all intermediate results of a run, at addresses that a planner decided before. The
 * planner is registered from `compiler/memory`; without one, every value has a place of its own.
 */
import { bytesPerElement, type DType, encodingOf, type HostData, hostView } from "../core/dtype.js";
import type { Layout } from "../core/layout.js";
import { type Shape, sizeOf } from "../core/shape.js";
import type { Graph, GraphNode, Value } from "../ir/graph.js";
import { memory } from "../runtime/heap.js";
import type { HostArray } from "../runtime/host-array.js";
import type { Layouts } from "./layouts.js";

/** What the planner has to know besides the graph. */
export interface ArenaRequest {
  readonly layouts: Layouts;
  /** Values made by kernels that lie in the arena; their views lie there with them. */
  readonly includes: (value: Value) => boolean;
  /** Bytes that a node's kernel needs while it runs. */
  readonly workspace: (node: GraphNode) => number;
}

export interface ArenaPlan {
  readonly bytes: number;
  /** Byte offset of each value made by a kernel that lies in the arena. */
  readonly offsets: ReadonlyMap<Value, number>;
  /** Byte offset of the workspaces of nodes that have one. */
  readonly workspaces: ReadonlyMap<GraphNode, number>;
}

export type ArenaPlanner = (graph: Graph, request: ArenaRequest) => ArenaPlan;

let planner: ArenaPlanner = sideBySide;

/** Says how arenas are planned from now on. */
export function setArenaPlanner(plan: ArenaPlanner): void {
  planner = plan;
}

export function planArena(graph: Graph, request: ArenaRequest): ArenaPlan {
  return planner(graph, request);
}

const ALIGNMENT = 64;

/** No reuse. */
function sideBySide(graph: Graph, { includes, workspace }: ArenaRequest): ArenaPlan {
  let bytes = 0;
  const take = (size: number): number => {
    const at = bytes;
    bytes += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const offsets = new Map<Value, number>();
  const workspaces = new Map<GraphNode, number>();
  for (const node of graph.nodes) {
    for (const output of node.outputs)
      if (includes(output)) offsets.set(output, take(sizeOf(output.shape) * bytesPerElement(output.dtype)));
    if (workspace(node) > 0) workspaces.set(node, take(workspace(node)));
  }
  return { bytes, offsets, workspaces };
}

/** An array of a known layout whose place is known only when a run begins, and may be another one in each run. */
export class BoundArray implements HostArray {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
  ptr = 0;
  /** Made when it is first asked for: kernels that are compiled want the address only. An own property, as of plain arrays. */
  declare readonly data: HostData;
  private view: HostData | null = null;

  constructor(
    readonly dtype: DType,
    layout: Layout,
    /** Elements from the address on that may be read. */
    private readonly length: number,
  ) {
    this.shape = layout.shape;
    this.strides = layout.strides;
    this.offset = layout.offset;
    Object.defineProperty(this, "data", { enumerable: true, get: () => this.elements() });
  }

  private elements(): HostData {
    this.view ??= hostView(this.dtype, memory.buffer, this.ptr, this.length);
    return this.view;
  }

  /** For encoded dtypes: the elements as numbers, to be committed if they were written. */
  decoded(): HostArray {
    const { dtype, shape, strides, offset, ptr, length } = this;
    const encoding = encodingOf(dtype);
    if (!encoding) return this;
    let numbers: HostData | null = null;
    return {
      dtype,
      shape,
      strides,
      offset,
      ptr,
      get data() {
        numbers ??= encoding.decode(memory.buffer, ptr, length);
        return numbers;
      },
      commit: () => {
        if (numbers) encoding.encode(numbers, memory.buffer, ptr);
      },
    };
  }

  /** From now on the elements start at this address. */
  bind(ptr: number): void {
    if (ptr === this.ptr) return;
    this.ptr = ptr;
    this.view = null;
  }
}
