/** Decision trees: CART with Gini's impurity, as scikit-learn grows them. (Breiman et al., 1984.) */
import { ValueError } from "../../core/errors.js";

interface Leaf {
  readonly counts: readonly number[];
}
interface Split extends Leaf {
  readonly feature: number;
  /** Samples with `x[feature] <= threshold` go left. */
  readonly threshold: number;
  readonly left: TreeNode;
  readonly right: TreeNode;
}
type TreeNode = Leaf | Split;

export interface DecisionTreeOptions {
  /** Splits from the root to a leaf, at most. Default: until every leaf is of one class. */
  readonly maxDepth?: number;
  /** Smallest number of samples that is split. Default 2. */
  readonly minSamplesSplit?: number;
}

/** What is written to a file. */
interface Saved {
  readonly kind: "decision-tree";
  readonly features: number;
  readonly classes: number;
  readonly root: TreeNode;
}

/**
 * A classifier of rows of numbers by questions `x[i] <= t`.
 * @example
 * const grown = robotics.caseStudy.DecisionTree.fit([[0], [1], [2], [3]], [0, 0, 1, 1]);
 * grown.predict([1.7]); // 1
 */
export class DecisionTree {
  private constructor(
    readonly features: number,
    readonly classes: number,
    private readonly root: TreeNode,
  ) {}

  /**
   * Grows a tree: each node takes the question that leaves the smallest weighted Gini impurity, its threshold halfway
   * between two neighbouring values. Of features that are equally good the last is taken; scikit-learn draws one.
   * @param x rows of equally many finite numbers
   * @param y class of each row, from 0
   * @throws ValueError
   */
  static fit(
    x: readonly (readonly number[])[],
    y: readonly number[],
    { maxDepth = Infinity, minSamplesSplit = 2 }: DecisionTreeOptions = {},
  ): DecisionTree {
    if (x.length === 0 || x.length !== y.length)
      throw new ValueError(`DecisionTree.fit: ${x.length} rows and ${y.length} classes`);
    const features = x[0].length;
    for (const [i, row] of x.entries())
      if (row.length !== features || !row.every(Number.isFinite))
        throw new ValueError(
          `DecisionTree.fit: row ${i} is [${row.join(", ")}]; ${features} finite numbers expected`,
        );
    const bad = y.findIndex((label) => !Number.isInteger(label) || label < 0);
    if (bad >= 0)
      throw new ValueError(
        `DecisionTree.fit: the class of row ${bad} is ${y[bad]}; integers from 0 expected`,
      );
    const classes = Math.max(...y) + 1;
    const grow = (rows: readonly number[], depth: number): TreeNode => {
      const counts = countsOf(rows, y, classes);
      if (depth >= maxDepth || rows.length < minSamplesSplit || counts.some((n) => n === rows.length))
        return { counts };
      const split = bestSplit(x, y, rows, classes);
      if (!split) return { counts };
      const { feature, threshold } = split;
      const left = rows.filter((row) => x[row][feature] <= threshold);
      const right = rows.filter((row) => x[row][feature] > threshold);
      return { counts, feature, threshold, left: grow(left, depth + 1), right: grow(right, depth + 1) };
    };
    return new DecisionTree(features, classes, grow([...x.keys()], 0));
  }

  /** The class of a row: the leaf's most frequent, of equals the first. @throws ValueError */
  predict(row: readonly number[]): number {
    if (row.length !== this.features || row.some(Number.isNaN))
      throw new ValueError(`DecisionTree.predict: [${row.join(", ")}]; ${this.features} numbers expected`);
    let node = this.root;
    while ("left" in node) node = row[node.feature] <= node.threshold ? node.left : node.right;
    return node.counts.indexOf(Math.max(...node.counts));
  }

  get depth(): number {
    const of = (node: TreeNode): number => ("left" in node ? 1 + Math.max(of(node.left), of(node.right)) : 0);
    return of(this.root);
  }

  get leaves(): number {
    const of = (node: TreeNode): number => ("left" in node ? of(node.left) + of(node.right) : 1);
    return of(this.root);
  }

  /** The questions, as scikit-learn's `export_text`. */
  toText(features: readonly string[], classes: readonly string[]): string {
    const lines: string[] = [];
    const write = (node: TreeNode, indent: string): void => {
      if (!("left" in node)) {
        lines.push(`${indent}|--- class: ${classes[node.counts.indexOf(Math.max(...node.counts))]}`);
        return;
      }
      const threshold = node.threshold.toFixed(2);
      lines.push(`${indent}|--- ${features[node.feature]} <= ${threshold}`);
      write(node.left, `${indent}|   `);
      lines.push(`${indent}|--- ${features[node.feature]} >  ${threshold}`);
      write(node.right, `${indent}|   `);
    };
    write(this.root, "");
    return lines.join("\n");
  }

  toJSON(): Saved {
    return { kind: "decision-tree", features: this.features, classes: this.classes, root: this.root };
  }

  /** @throws ValueError that says what about the value is no saved tree */
  static fromJSON(value: unknown): DecisionTree {
    const saved = value as Partial<Saved> | null;
    if (saved?.kind !== "decision-tree") throw new ValueError("DecisionTree.fromJSON: no decision tree");
    const { features, classes, root } = saved;
    if (!isCount(features) || !isCount(classes))
      throw new ValueError("DecisionTree.fromJSON: sizes are missing");
    checkNode(root, features, classes, "root", 0);
    return new DecisionTree(features, classes, root as TreeNode);
  }
}

const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0;
/** Deeper files are an attack on the stack. */
const DEEPEST = 1_000;

function checkNode(value: unknown, features: number, classes: number, where: string, depth: number): void {
  const node = (value ?? {}) as Partial<Split>;
  const fail = (what: string): never => {
    throw new ValueError(`DecisionTree.fromJSON: ${where}: ${what}`);
  };
  if (depth > DEEPEST) fail(`deeper than ${DEEPEST}`);
  const { counts, feature, threshold, left, right } = node;
  if (
    !Array.isArray(counts) ||
    counts.length !== classes ||
    !counts.every((n) => Number.isInteger(n) && n >= 0)
  )
    fail(`"counts" are ${classes} whole numbers`);
  if (left === undefined && right === undefined) return;
  if (!Number.isInteger(feature) || (feature as number) < 0 || (feature as number) >= features)
    fail(`"feature" is 0 to ${features - 1}`);
  if (!Number.isFinite(threshold)) fail(`"threshold" is a finite number`);
  checkNode(left, features, classes, `${where}.left`, depth + 1);
  checkNode(right, features, classes, `${where}.right`, depth + 1);
}

function countsOf(rows: readonly number[], y: readonly number[], classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const row of rows) counts[y[row]]++;
  return counts;
}

/** Σ n − Σ counts²/n of both sides is the weighted impurity; the sums are updated as rows move from right to left. */
function bestSplit(
  x: readonly (readonly number[])[],
  y: readonly number[],
  rows: readonly number[],
  classes: number,
): { feature: number; threshold: number } | undefined {
  let best: { feature: number; threshold: number } | undefined;
  let most = -Infinity;
  for (let feature = 0; feature < x[0].length; feature++) {
    const sorted = [...rows].sort((a, b) => x[a][feature] - x[b][feature]);
    const left = new Array<number>(classes).fill(0);
    const right = countsOf(sorted, y, classes);
    let squaresLeft = 0;
    let squaresRight = right.reduce((sum, n) => sum + n * n, 0);
    for (let i = 0; i + 1 < sorted.length; i++) {
      const label = y[sorted[i]];
      squaresLeft += 2 * left[label]++ + 1;
      squaresRight -= 2 * right[label]-- - 1;
      const [low, high] = [x[sorted[i]][feature], x[sorted[i + 1]][feature]];
      if (low === high) continue;
      const purity = squaresLeft / (i + 1) + squaresRight / (sorted.length - i - 1);
      if (purity < most - 1e-12 || (purity <= most + 1e-12 && best?.feature === feature)) continue;
      most = purity;
      // halfway, unless that rounds up to the larger one
      const middle = low / 2 + high / 2;
      best = { feature, threshold: middle === high ? low : middle };
    }
  }
  return best;
}
