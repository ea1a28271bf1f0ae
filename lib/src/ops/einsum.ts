/** einsum: sums of products by index letters (Einstein's convention), as NumPy and PyTorch write them. */
import { promoteTypes } from "../core/dtype.js";
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape, sizeOf } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { asTensor, type TensorLike } from "./convert.js";
import { diagonal } from "./linalg/norms.js";
import { transpose } from "./shape.js";

interface Operand {
  readonly tensor: Tensor;
  readonly labels: readonly string[];
}

/**
 * Products of the operands' elements, summed over the letters that the result lacks. Without `->`, the result has the
 * letters that occur once, in alphabetical order. `...` stands for axes that broadcast. More than two operands are
 * multiplied pair by pair, the smallest intermediate result first.
 * @example einsum("ij,jk->ik", [[1, 2]], [[3], [4]]) // [[11]]
 * @throws ValueError for a malformed equation; ShapeError where sizes differ.
 */
export function einsum(equation: string, ...operands: readonly TensorLike[]): Tensor {
  const given = operands.map((x) => asTensor(x));
  const dtype = given.reduce((type, x) => promoteTypes(type, x.dtype), given[0]?.dtype ?? "bool");
  const common = given.map((x) => x.cast(dtype));
  const { inputs, output } = parse(equation, common);
  let list = inputs.map((labels, i) => withoutRepeats({ tensor: common[i], labels }));
  checkSizes(equation, list);
  list = list.map((x, i) => {
    const needed = new Set([...output, ...list.flatMap((other, k) => (k === i ? [] : other.labels))]);
    return summed(x, needed);
  });
  while (list.length > 1) {
    const [i, j] = cheapestPair(list, output);
    const rest = list.filter((_, k) => k !== i && k !== j);
    const needed = new Set([...output, ...rest.flatMap((x) => x.labels)]);
    list = [...rest, product(list[i], list[j], needed)];
  }
  const [{ tensor, labels }] = list;
  return transpose(
    tensor,
    output.map((label) => labels.indexOf(label)),
  );
}

/** Letters per operand; axes of "..." get private letters, counted from the back. */
function parse(equation: string, operands: readonly Tensor[]): { inputs: string[][]; output: string[] } {
  const [left, right, ...more] = equation.replaceAll(/\s/g, "").split("->");
  const terms = left.split(",");
  const where = `einsum("${equation}")`;
  if (more.length > 0 || !/^[A-Za-z,.]*$/.test(left + (right ?? "")))
    throw new ValueError(`${where}: letters, commas, "..." and one "->" make an equation, as in "ij,jk->ik"`);
  if (terms.length !== operands.length)
    throw new ValueError(`${where}: ${terms.length} terms for ${operands.length} operands`);
  let widest = 0;
  const inputs = terms.map((term, i) => {
    const letters = term.replace("...", "");
    const rank = operands[i].ndim;
    if (letters.includes(".")) throw new ValueError(`${where}: "..." may stand once in term ${i}`);
    const extra = rank - letters.length;
    if (term.includes("...") ? extra < 0 : extra !== 0)
      throw new ShapeError(
        `${where}: term ${i}, "${term}", does not fit the shape ${formatShape(operands[i].shape)}`,
      );
    widest = Math.max(widest, extra);
    return labelsOf(term, extra);
  });
  const all = inputs.flat();
  if (right === undefined) {
    const once = all.filter(
      (label) => label.length === 1 && all.filter((other) => other === label).length === 1,
    );
    return { inputs, output: [...ellipsis(widest), ...once.sort()] };
  }
  const output = labelsOf(right, right.includes("...") ? widest : 0);
  for (const [k, label] of output.entries()) {
    if (!all.includes(label)) throw new ValueError(`${where}: "${label}" of the result is in no operand`);
    if (output.indexOf(label) !== k) throw new ValueError(`${where}: "${label}" stands twice in the result`);
  }
  return { inputs, output };
}

const ellipsis = (count: number): string[] => Array.from({ length: count }, (_, i) => `...${count - i}`);

function labelsOf(term: string, extra: number): string[] {
  const at = term.indexOf("...");
  if (at < 0) return [...term];
  return [...term.slice(0, at), ...ellipsis(extra), ...term.slice(at + 3)];
}

/** A letter that stands twice in one term picks the diagonal. */
function withoutRepeats({ tensor, labels }: Operand): Operand {
  const second = labels.findIndex((label, i) => labels.indexOf(label) !== i);
  if (second < 0) return { tensor, labels };
  const first = labels.indexOf(labels[second]);
  if (tensor.shape[first] !== tensor.shape[second])
    throw new ShapeError(
      `einsum: "${labels[second]}" stands for sizes ${tensor.shape[first]} and ${tensor.shape[second]}`,
    );
  const others = labels.map((_, i) => i).filter((i) => i !== first && i !== second);
  return withoutRepeats({
    tensor: diagonal(transpose(tensor, [...others, first, second])),
    labels: [...others.map((i) => labels[i]), labels[second]],
  });
}

/** Sizes of each letter must agree; an axis of size 1 of "..." broadcasts. */
function checkSizes(equation: string, list: readonly Operand[]): void {
  const sizes = new Map<string, number>();
  for (const { tensor, labels } of list) {
    for (const [i, label] of labels.entries()) {
      const [known, size] = [sizes.get(label) ?? 1, tensor.shape[i]];
      const broadcasts = label.length > 1 && (known === 1 || size === 1);
      if (sizes.has(label) && known !== size && !broadcasts)
        throw new ShapeError(`einsum("${equation}"): "${label}" stands for sizes ${known} and ${size}`);
      sizes.set(label, Math.max(known, size));
    }
  }
}

/** Sums over letters that nothing else needs. */
function summed({ tensor, labels }: Operand, needed: ReadonlySet<string>): Operand {
  const axes = labels.map((_, i) => i).filter((i) => !needed.has(labels[i]));
  if (axes.length === 0) return { tensor, labels };
  return { tensor: tensor.sum(axes), labels: labels.filter((label) => needed.has(label)) };
}

const sizeOfLabel = (label: string, ...operands: Operand[]): number =>
  Math.max(
    ...operands.map(({ tensor, labels }) =>
      labels.includes(label) ? tensor.shape[labels.indexOf(label)] : 1,
    ),
  );

function cheapestPair(list: readonly Operand[], output: readonly string[]): [number, number] {
  let best: [number, number] = [0, 1];
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < list.length; i++) {
    for (let j = i + 1; j < list.length; j++) {
      const needed = new Set([...output, ...list.flatMap((x, k) => (k === i || k === j ? [] : x.labels))]);
      const labels = new Set([...list[i].labels, ...list[j].labels]);
      const size = [...labels].filter((l) => needed.has(l)).map((l) => sizeOfLabel(l, list[i], list[j]));
      if (sizeOf(size) < least) [least, best] = [sizeOf(size), [i, j]];
    }
  }
  return best;
}

/** Two operands as a batch of matrix products. */
function product(a: Operand, b: Operand, needed: ReadonlySet<string>): Operand {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const contracted = shared.filter((label) => !needed.has(label));
  const left = a.labels.filter((label) => !shared.includes(label));
  const right = b.labels.filter((label) => !shared.includes(label));
  const sizes = (labels: readonly string[]): number[] => labels.map((label) => sizeOfLabel(label, a, b));
  const labels = [...batch, ...left, ...right];
  if (contracted.length === 0) {
    const x = arranged(a, [...batch, ...left]);
    const y = arranged(b, [...batch, ...right]);
    const open = new Array<number>(right.length).fill(1);
    const gap = new Array<number>(left.length).fill(1);
    const [bx, by] = [x.shape.slice(0, batch.length), y.shape.slice(0, batch.length)];
    return {
      tensor: x.reshape([...bx, ...sizes(left), ...open]).mul(y.reshape([...by, ...gap, ...sizes(right)])),
      labels,
    };
  }
  const spread = (x: Operand, order: string[]): Tensor =>
    arranged(x, order).broadcastTo(order.map((l) => sizeOfLabel(l, a, b)));
  const [count, k] = [sizes(batch), sizeOf(sizes(contracted))];
  const x = spread(a, [...batch, ...left, ...contracted]).reshape([...count, sizeOf(sizes(left)), k]);
  const y = spread(b, [...batch, ...contracted, ...right]).reshape([...count, k, sizeOf(sizes(right))]);
  return { tensor: x.matmul(y).reshape([...count, ...sizes(left), ...sizes(right)]), labels };
}

const arranged = ({ tensor, labels }: Operand, order: readonly string[]): Tensor =>
  transpose(
    tensor,
    order.map((label) => labels.indexOf(label)),
  );
