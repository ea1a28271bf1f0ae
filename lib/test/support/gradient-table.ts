/** Measures the derivative rules of every op: the table of GRADIENTS.md. */

import { type DType, isFloat } from "../../src/core/dtype.js";
import { jvp, NOT_DIFFERENTIABLE, type OpDef, ops, type Tensor, vjp } from "../../src/index.js";
import { EFFECTS } from "../../src/ir/effects/ops.js";
import { scalar } from "../../src/ops/convert.js";
import { numericGradient, relativeError } from "./finite-differences.js";
import { drawInputs, type OpCase, opCases, randomTensor, run } from "./op-samples.js";

/** Largest relative errors |a − b|/(1 + |b|) of one input's derivative, over all samples of the op. */
export interface GradientRow {
  readonly op: string;
  readonly input: number;
  /** Samples in which this input has elements. */
  readonly samples: number;
  /** float64 beside central differences. */
  readonly reverse: number;
  readonly forward: number;
  readonly second: number;
  /** The reverse rule in each narrower dtype beside float64's gradient at the same numbers. */
  readonly narrow: Readonly<Record<NarrowDType, number>>;
}

/** bench/markdown.mjs, which the coverage table is made with too. */
const { markdownTable } = (await import(new URL("../../bench/markdown.mjs", import.meta.url).href)) as {
  markdownTable(rows: readonly (readonly (string | number)[])[], right: readonly boolean[]): string;
};

export const NARROW = ["float32", "float16", "bfloat16"] as const;
export type NarrowDType = (typeof NARROW)[number];

const numbersOf = (x: Tensor): number[] => Array.from(x.toTypedArray());
const isSmooth = (op: OpDef): boolean => op.vjp !== NOT_DIFFERENTIABLE && op.samples.length > 0;

const weightsOf = (c: OpCase, outputs: readonly Tensor[], salt: string): Tensor[] =>
  outputs.map((y, i) => randomTensor(`${c.title}/table/${salt}/${i}`, y.shape, "float64"));

/** Σ weight·output over the floating-point outputs. */
function weighed(outputs: readonly Tensor[], weights: readonly Tensor[]): Tensor {
  return outputs
    .flatMap((y, i) => (isFloat(y.dtype) ? [y.mul(weights[i]).sum()] : []))
    .reduce((a, b) => a.add(b), scalar(0, "float64") as Tensor);
}

/** The reverse rule's gradient of Σ weight·output by input `i`. */
function gradientOf(c: OpCase, inputs: readonly Tensor[], i: number, weights: readonly Tensor[]): Tensor {
  const { value, pull } = vjp((x: Tensor) => run(c, inputs.with(i, x)), inputs[i]);
  return pull(weights.map((w, k) => w.cast(value[k].dtype)))[0];
}

/** Rows of one op, one for each floating-point input. */
export function gradientRows(op: OpDef): GradientRow[] {
  const cases = opCases((each) => each === op);
  return floatInputs(op).map((input) => {
    const filled = cases.filter((c) => (drawInputs(c)[input]?.size ?? 0) > 0);
    const worst = (measure: (c: OpCase) => number): number => Math.max(0, ...filled.map(measure));
    return {
      op: op.name,
      input,
      samples: filled.length,
      reverse: worst((c) => reverseError(c, input)),
      forward: worst((c) => forwardError(c, input)),
      second: worst((c) => secondError(c, input)),
      narrow: Object.fromEntries(
        NARROW.map((dtype) => [dtype, worst((c) => narrowError(c, input, dtype))]),
      ) as GradientRow["narrow"],
    };
  });
}

function reverseError(c: OpCase, i: number): number {
  const inputs = drawInputs(c);
  const weights = weightsOf(c, run(c, inputs), "first");
  const numeric = numericGradient((x) => weighed(run(c, inputs.with(i, x)), weights), inputs[i]);
  return relativeError(numbersOf(gradientOf(c, inputs, i, weights)), numeric);
}

/** The slope along one direction, as a number: of Σ weight·output. */
function forwardError(c: OpCase, i: number): number {
  const inputs = drawInputs(c);
  const weights = weightsOf(c, run(c, inputs), "first");
  const direction = randomTensor(`${c.title}/table/direction`, inputs[i].shape);
  const f = (x: Tensor): Tensor => weighed(run(c, inputs.with(i, x)), weights);
  const [, slope] = jvp(f, [inputs[i]], [direction]);
  const along = numericGradient((s) => f(inputs[i].add(direction.mul(s))), scalar(0, "float64") as Tensor);
  return relativeError([slope.item()], along);
}

function secondError(c: OpCase, i: number): number {
  const inputs = drawInputs(c);
  const weights = weightsOf(c, run(c, inputs), "first");
  const again = randomTensor(`${c.title}/table/second`, inputs[i].shape);
  const f = (x: Tensor): Tensor => gradientOf(c, inputs.with(i, x), i, weights).mul(again).sum();
  const { pull } = vjp(f, inputs[i]);
  return relativeError(numbersOf(pull(scalar(1, "float64") as Tensor)[0]), numericGradient(f, inputs[i]));
}

function narrowError(c: OpCase, i: number, dtype: DType): number {
  const inputs = drawInputs(c, 0, dtype);
  const wide = inputs.map((x) => (x.dtype === dtype ? x.cast("float64") : x));
  const weights = weightsOf(c, run(c, wide), "first").map((w) => w.cast(dtype).cast("float64"));
  const narrow = numbersOf(gradientOf(c, inputs, i, weights));
  return relativeError(narrow, numbersOf(gradientOf(c, wide, i, weights)));
}

/** Inputs of an op that are floating-point in every sample. */
export function floatInputs(op: OpDef): number[] {
  const [first] = op.samples;
  const counts = op.samples.map((s) => s.shapes.length);
  return Array.from({ length: Math.max(...counts) }, (_, i) => i).filter((i) =>
    isFloat(first.dtypes?.[i] ?? "float64"),
  );
}

export const smoothOps = (): OpDef[] => ops().filter(isSmooth);
const controlOps = (): OpDef[] => ops().filter((op) => op.kind === "control");
/** Effects, and numbers that stand for sizes. */
const outsideOps = (): OpDef[] =>
  controlOps().filter((op) => op.name === "dimension" || EFFECTS.has(op.name));
export const graphOps = (): OpDef[] => controlOps().filter((op) => !outsideOps().includes(op));

/** Why an op has no derivative, by what it gives; `undefined` if nothing says so. */
export function reasonOf(op: OpDef): string | undefined {
  if (op.name === "stopGradient") return "its purpose";
  if (op.kind === "random") return "random numbers; their distribution's parameters are not differentiated";
  const [sample] = op.samples;
  const inputs = sample.shapes.map((shape, i) => ({
    shape,
    dtype: sample.dtypes?.[i] ?? ("float64" as const),
  }));
  const outputs = op.type(inputs, sample.attrs ?? {});
  if (outputs.every((y) => y.dtype === "bool")) return "truth values";
  if (inputs.every((x) => !isFloat(x.dtype))) return "integers";
  if (outputs.every((y) => !isFloat(y.dtype))) return "positions";
  if (op.name.startsWith("quantized")) return "whole numbers of a model that is trained";
  return STEPS[op.name];
}

/** Ops whose numbers jump. */
const STEPS: Readonly<Record<string, string>> = Object.fromEntries(
  ["floor", "ceil", "round", "trunc", "sign", "heaviside", "floorDivide"].map((name) => [
    name,
    "constant but for jumps: 0 almost everywhere",
  ]),
);

const short = (error: number): string => (error === 0 ? "0" : error.toExponential(0).replace("e-", "e−"));

/** The file's text. */
export function gradientsMarkdown(rows: readonly GradientRow[]): string {
  const smooth = new Set(rows.map((row) => row.op));
  const constant = ops().filter((op) => !smooth.has(op.name) && op.kind !== "control");
  const reasons = [...new Set(constant.map(reasonOf))];
  const head = ["op", "input", "samples", "reverse", "forward", "second", ...NARROW];
  const table = markdownTable(
    [
      head,
      ...rows.map((r) => [
        `\`${r.op}\``,
        r.input,
        r.samples,
        ...[r.reverse, r.forward, r.second, ...NARROW.map((d) => r.narrow[d])].map(short),
      ]),
    ],
    head.map((_, i) => i > 0),
  );
  const code = (some: readonly OpDef[]): string => some.map((op) => `\`${op.name}\``).join(", ");
  const whys = reasons.map((why) => [code(constant.filter((op) => reasonOf(op) === why)), why ?? "?"]);
  return `# Derivatives of every op

Made by \`npm run gradients\` from the registry: each op, each floating-point input, over all samples (awkward shapes among them).
Errors are the largest |a − b|/(1 + |b|): in float64 of the reverse rule, the forward rule and the derivative of the reverse rule
beside central differences (whose own error is about 1e−10); in narrower dtypes of the reverse rule beside float64's at the same
numbers, which shows rounding (the precision of float32 is 6e−8, of float16 5e−4, of bfloat16 4e−3), larger where a matrix is near a
singular one or a sum is long. The test beside the generator fails when an op, an input or a dtype is missing here, and when an error
is too large.

${smooth.size} ops have derivatives, ${constant.length} have none and say why, ${graphOps().length} hold graphs.

${table}

## Not differentiable

Gradients stop at these ops.

${markdownTable([["ops", "why"], ...whys], [])}

Integer and boolean inputs of the ops above (positions, masks) have no derivative either. Nor have effects and sizes of axes:
${code(outsideOps())}.

## Ops that hold graphs

${code(graphOps())}: their derivatives are those of the ops inside, checked where graphs are (\`src/graph/control\`, \`src/ir\`).
`;
}
