/**
 * Nonlinear least squares as a problem: groups of parameter blocks (poses, landmarks, cameras) and sets of residuals of one
 * kind over them. The cost is ½·Σ ρ(‖rᵢ‖²). (Dellaert & Kaess, "Factor graphs for robot perception", 2017: groups are the
 * variables, residuals the factors.)
 */
import { ShapeError, ValueError } from "../../core/errors.js";
import type { RobustLoss } from "./loss.js";
import { euclidean, type Manifold } from "./manifold.js";
import type { ResidualKind } from "./residual.js";

export interface ParameterOptions {
  /** Where each block lives. Default: plain vectors of `size`. */
  readonly manifold?: Manifold;
  /** Numbers in a block, if no manifold is given. Default 1. */
  readonly size?: number;
  /** Blocks that keep their values: all (`true`), or those of the indices. A pose graph needs one such pose. */
  readonly constant?: boolean | Iterable<number>;
}

/** Parameter blocks of one sort; block i is named `name[i]`. */
export class ParameterGroup {
  readonly manifold: Manifold;
  readonly count: number;
  /** count × ambient size, row-major: the start before the solver runs, the solution after. */
  readonly values: Float64Array;
  /** 1 where the block keeps its value. */
  readonly constant: Uint8Array;

  /** @param values copied */
  constructor(
    readonly name: string,
    values: ArrayLike<number>,
    { manifold, size = 1, constant = false }: ParameterOptions = {},
  ) {
    this.manifold = manifold ?? euclidean(size);
    const { ambient } = this.manifold;
    if (values.length % ambient !== 0)
      throw new ShapeError(
        `${name}: blocks of ${this.manifold.name} hold ${ambient} numbers each, got ${values.length} numbers`,
      );
    this.values = Float64Array.from(values);
    const bad = this.values.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0)
      throw new ValueError(
        `${name}[${Math.floor(bad / ambient)}]: finite numbers wanted, got ${values[bad]}`,
      );
    this.count = values.length / ambient;
    for (let i = 0; i < this.count; i++) this.manifold.check?.(this.values, i * ambient, `${name}[${i}]`);
    this.constant = new Uint8Array(this.count);
    if (constant === true) this.constant.fill(1);
    else if (constant) for (const i of constant) this.hold(i);
  }

  /** Block i: a view. */
  block(i: number): Float64Array {
    const { ambient } = this.manifold;
    this.checkIndex(i);
    return this.values.subarray(i * ambient, (i + 1) * ambient);
  }

  /** Block i keeps its value from now on. */
  hold(i: number): void {
    this.checkIndex(i);
    this.constant[i] = 1;
  }

  private checkIndex(i: number): void {
    if (!Number.isInteger(i) || i < 0 || i >= this.count)
      throw new ValueError(`${this.name}: a block from 0 to ${this.count - 1} wanted, got ${i}`);
  }
}

/** One parameter of each residual of a set: which blocks of which group. */
export type Slot = readonly [group: ParameterGroup, blocks: ArrayLike<number>];

export interface ResidualSet {
  readonly kind: ResidualKind;
  readonly count: number;
  readonly groups: readonly ParameterGroup[];
  /** Per parameter: a block index for each residual. */
  readonly blocks: readonly Int32Array[];
  /** count × data of the kind. */
  readonly data: Float64Array;
  readonly loss: RobustLoss | null;
}

export class Problem {
  readonly groups: ParameterGroup[] = [];
  readonly sets: ResidualSet[] = [];

  /** @throws ShapeError unless the numbers are whole blocks; ValueError for a name that is taken. */
  addParameters(name: string, values: ArrayLike<number>, options: ParameterOptions = {}): ParameterGroup {
    if (this.groups.some((group) => group.name === name))
      throw new ValueError(`addParameters: there are parameters "${name}" already`);
    const group = new ParameterGroup(name, values, options);
    this.groups.push(group);
    return group;
  }

  /**
   * Residuals of one kind, one for each entry of the slots' index lists.
   * @param data numbers for each residual, row after row
   * @example problem.addResiduals(robotics.perceive.between2, [[poses, [0, 1]], [poses, [1, 2]]], measurements)
   * @throws ShapeError or ValueError if slots, indices or data do not fit the kind.
   */
  addResiduals(
    kind: ResidualKind,
    slots: readonly Slot[],
    data: ArrayLike<number> = [],
    { loss = null }: { readonly loss?: RobustLoss | null } = {},
  ): ResidualSet {
    if (slots.length !== kind.parameters.length)
      throw new ShapeError(`${kind.name}: takes ${kind.parameters.length} parameters, got ${slots.length}`);
    const count = slots[0][1].length;
    slots.forEach(([group, blocks], k) => {
      if (!this.groups.includes(group))
        throw new ValueError(`${kind.name}: parameters "${group.name}" belong to another problem`);
      if (group.manifold.ambient !== kind.parameters[k])
        throw new ShapeError(
          `${kind.name}: parameter ${k} holds ${kind.parameters[k]} numbers, a block of ${group.name} ${group.manifold.ambient}`,
        );
      if (blocks.length !== count)
        throw new ShapeError(
          `${kind.name}: parameter 0 lists ${count} blocks, parameter ${k} ${blocks.length}; one for each residual wanted`,
        );
      for (let i = 0; i < count; i++)
        if (!Number.isInteger(blocks[i]) || blocks[i] < 0 || blocks[i] >= group.count)
          throw new ValueError(
            `${kind.name}: residual ${i} wants ${group.name}[${blocks[i]}], there are ${group.count} blocks`,
          );
    });
    if (data.length !== count * kind.data)
      throw new ShapeError(
        `${kind.name}: ${count} residuals of ${kind.data} constants each want ${count * kind.data} numbers, got ${data.length}`,
      );
    const set: ResidualSet = {
      kind,
      count,
      groups: slots.map(([group]) => group),
      blocks: slots.map(([, blocks]) => Int32Array.from(blocks)),
      data: Float64Array.from(data),
      loss,
    };
    this.sets.push(set);
    return set;
  }

  /** ½·Σ ρ(‖rᵢ‖²) at the present values. */
  cost(): number {
    return costOf(this.sets);
  }

  /** The residuals of a set at the present values, count × size, without their loss. */
  residuals(set: ResidualSet): Float64Array {
    const residuals = new Float64Array(set.count * set.kind.size);
    set.kind.evaluate(gather(set), { residuals, jacobians: null });
    return residuals;
  }
}

/** The rows that the residuals of a set are computed from. */
export function gather(set: ResidualSet): {
  count: number;
  parameters: Float64Array[];
  data: Float64Array;
} {
  const parameters = set.blocks.map((blocks, k) => {
    const { values, manifold } = set.groups[k];
    const n = manifold.ambient;
    const rows = new Float64Array(set.count * n);
    for (let i = 0; i < set.count; i++) {
      const from = blocks[i] * n;
      for (let j = 0; j < n; j++) rows[i * n + j] = values[from + j];
    }
    return rows;
  });
  return { count: set.count, parameters, data: set.data };
}

export function costOf(sets: readonly ResidualSet[]): number {
  let cost = 0;
  for (const set of sets) {
    const { size } = set.kind;
    const residuals = new Float64Array(set.count * size);
    set.kind.evaluate(gather(set), { residuals, jacobians: null });
    cost += costOfResiduals(residuals, size, set.loss);
  }
  return cost;
}

export function costOfResiduals(residuals: Float64Array, size: number, loss: RobustLoss | null): number {
  let sum = 0;
  if (!loss) {
    for (const r of residuals) sum += r * r;
    return sum / 2;
  }
  for (let i = 0; i < residuals.length; i += size) {
    let s = 0;
    for (let j = 0; j < size; j++) s += residuals[i + j] ** 2;
    sum += loss.cost(s);
  }
  return sum / 2;
}
