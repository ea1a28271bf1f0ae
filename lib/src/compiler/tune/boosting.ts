/**
 * Gradient-boosted regression trees (Friedman 2001): each tree of a few leaves is fitted to what the sum of the earlier
 * ones leaves over. Small, since it is retrained after each batch of measurements.
 */

interface Leaf {
  readonly value: number;
}

interface Split {
  readonly feature: number;
  readonly threshold: number;
  readonly below: Tree;
  readonly above: Tree;
}

type Tree = Leaf | Split;

export interface BoostingOptions {
  readonly trees?: number;
  readonly depth?: number;
  readonly rate?: number;
  readonly minimumLeaf?: number;
}

/**
 * A model of y from rows of features.
 * @example
 * const model = new BoostedTrees().fit([[0], [1], [2], [3]], [0, 0, 1, 1], { minimumLeaf: 1 });
 * model.predict([2.5]) > 0.8 // true
 */
export class BoostedTrees {
  private trees: Tree[] = [];
  private base = 0;
  private rate = 0.2;

  /** Learns from scratch; squared error. */
  fit(rows: readonly (readonly number[])[], y: readonly number[], options: BoostingOptions = {}): this {
    const { trees = 60, depth = 3, rate = 0.2, minimumLeaf = 2 } = options;
    this.rate = rate;
    this.base = mean(y);
    this.trees = [];
    const left = y.map((v) => v - this.base);
    const all = rows.map((_, i) => i);
    for (let t = 0; t < trees && rows.length > 1; t++) {
      const tree = grow(rows, left, all, depth, minimumLeaf);
      this.trees.push(tree);
      for (let i = 0; i < rows.length; i++) left[i] -= rate * evaluate(tree, rows[i]);
    }
    return this;
  }

  predict(row: readonly number[]): number {
    return this.trees.reduce((sum, tree) => sum + this.rate * evaluate(tree, row), this.base);
  }
}

function evaluate(tree: Tree, row: readonly number[]): number {
  let at = tree;
  while ("feature" in at) at = row[at.feature] <= at.threshold ? at.below : at.above;
  return at.value;
}

function grow(
  rows: readonly (readonly number[])[],
  y: readonly number[],
  members: readonly number[],
  depth: number,
  minimumLeaf: number,
): Tree {
  const total = members.reduce((sum, i) => sum + y[i], 0);
  const leaf: Leaf = { value: total / members.length };
  if (depth === 0 || members.length < 2 * minimumLeaf) return leaf;
  let best: { feature: number; threshold: number; gain: number } | null = null;
  const alone = (total * total) / members.length;
  for (let feature = 0; feature < rows[0].length; feature++) {
    const order = [...members].sort((a, b) => rows[a][feature] - rows[b][feature]);
    let below = 0;
    for (let k = 1; k < order.length; k++) {
      below += y[order[k - 1]];
      const [x, next] = [rows[order[k - 1]][feature], rows[order[k]][feature]];
      if (x === next || k < minimumLeaf || order.length - k < minimumLeaf) continue;
      // Squared error falls by as much as the sums of squares of the halves' totals rise.
      const gain = (below * below) / k + ((total - below) * (total - below)) / (order.length - k) - alone;
      if (gain > (best?.gain ?? 1e-12)) best = { feature, threshold: (x + next) / 2, gain };
    }
  }
  if (!best) return leaf;
  const { feature, threshold } = best;
  const [low, high] = [true, false].map((side) =>
    members.filter((i) => rows[i][feature] <= threshold === side),
  );
  return {
    feature,
    threshold,
    below: grow(rows, y, low, depth - 1, minimumLeaf),
    above: grow(rows, y, high, depth - 1, minimumLeaf),
  };
}

function mean(y: readonly number[]): number {
  return y.length === 0 ? 0 : y.reduce((a, b) => a + b, 0) / y.length;
}
