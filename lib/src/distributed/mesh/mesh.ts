/**
 * Mesh: the members of a group at the points of a grid with named axes, and a group along each axis: data parallel along
 * one, tensor parallel along another. (Book, chapter 9: hybrid parallelism; the device meshes of JAX and PyTorch.)
 */
import { ValueError } from "../../core/errors.js";
import type { ProcessGroup } from "../group/process-group.js";
import { MeshLayout } from "./layout.js";

export class Mesh<A extends string = string> {
  /** Where this member stands. */
  readonly coordinates: Readonly<Record<A, number>>;
  private readonly groups = new Map<string, ProcessGroup>();

  constructor(
    /** All members. */
    readonly whole: ProcessGroup,
    readonly layout: MeshLayout<A>,
  ) {
    this.coordinates = layout.coordinatesOf(whole.rank);
    for (const axis of layout.axes) this.group(axis);
  }

  /** Names of the axes, the fastest last. */
  get axes(): readonly A[] {
    return this.layout.axes;
  }

  /** @throws ValueError if there is no such axis */
  size(axis: A): number {
    return this.layout.sizeOf(axis);
  }

  /**
   * The group of the members that differ from this one along `axis` only. For several axes at once, all members ask for
   * the first time at the same point of their programs.
   * @throws ValueError if there is no such axis
   */
  group(...along: readonly A[]): ProcessGroup {
    if (along.length === 0) throw new ValueError("mesh.group: the name of an axis, or several, wanted");
    const key = this.axes.filter((axis) => along.includes(axis)).join();
    const known = along.every((axis) => this.layout.place(axis) >= 0) && this.groups.get(key);
    if (known) return known;
    let mine: ProcessGroup | null = null;
    for (const line of this.layout.lines(along)) {
      const group = this.whole.subgroup(line); // every member makes every line: calls keep one order
      mine ??= group;
    }
    if (!mine) throw new ValueError(`mesh: member ${this.whole.rank} is in no group along ${key}`);
    this.groups.set(key, mine);
    return mine;
  }

  /**
   * A seed that members have in common, but for those that differ along `axes`: for dropout, which must be the same where
   * values are copies, and another one where they are parts or other examples.
   */
  seed(seed: number, ...axes: readonly A[]): number {
    const at = axes.reduce((n, axis) => n * this.size(axis) + this.coordinates[axis], 0);
    return seed + at * SEED_STEP;
  }

  toString(): string {
    const at = this.axes.map((axis, i) => `${axis} ${this.coordinates[axis]}/${this.layout.shape[i]}`);
    return `mesh(${at.join(", ")})`;
  }
}

/** Keeps seeds of members apart from those that users count up themselves; Megatron-LM's own offset. */
const SEED_STEP = 2718;

/**
 * Puts the members of a group on a grid, row-major: the last axis holds neighbours, and is the place for what talks most.
 * @param sizes of the axes; one may be −1: what the others leave
 * @throws ValueError if the grid does not have as many points as the group has members
 * @example
 * await distributed.launch(4, (group) => {
 *   const grid = distributed.mesh(group, { data: 2, tensor: 2 });
 *   return [grid.coordinates.data, grid.coordinates.tensor, grid.group("tensor").ranks];
 * }) // [[0, 0, [0, 1]], [0, 1, [0, 1]], [1, 0, [2, 3]], [1, 1, [2, 3]]]
 */
export function mesh<const A extends string>(
  group: ProcessGroup,
  sizes: Readonly<Record<A, number>>,
): Mesh<A> {
  return new Mesh(group, new MeshLayout(sizes, group.size));
}
