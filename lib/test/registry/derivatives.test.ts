/**
 * Derivative rules of every op, on every sample, against central differences in float64: reverse, forward, the
 * agreement of both, and the derivative of the derivative. An op that is added is checked without a line here.
 */
import { describe, expect, it } from "vitest";
import { isFloat } from "../../src/core/dtype.js";
import { sameShape } from "../../src/core/shape.js";
import { getOp, jvp, NOT_DIFFERENTIABLE, ops, type Tensor, vjp, zerosLike } from "../../src/index.js";
import { bind } from "../../src/ops/bind.js";
import { scalar } from "../../src/ops/convert.js";
import { namesInTable } from "../support/awkward-samples.js";
import { numericGradient, relativeError } from "../support/finite-differences.js";
import { drawInputs, innerProduct, type OpCase, opCases, randomTensor, run } from "../support/op-samples.js";

const differentiable = opCases((op) => op.vjp !== NOT_DIFFERENTIABLE && !op.composite);
const TOLERANCE = 2e-7;

const numbersOf = (x: Tensor): number[] => Array.from(x.toTypedArray());
const cotangentsOf = (c: OpCase, outputs: readonly Tensor[], salt = ""): Tensor[] =>
  outputs.map((y, i) => randomTensor(`${c.title}/cotangent${salt}/${i}`, y.shape));

/** Σ ⟨cotangent, output⟩: the scalar whose gradient the reverse rule computes. */
function projected(outputs: readonly Tensor[], cotangents: readonly Tensor[]): Tensor {
  return outputs
    .map((y, i) => (isFloat(y.dtype) ? y.mul(cotangents[i]).sum() : null))
    .filter((y) => y !== null)
    .reduce((a, b) => a.add(b), scalar(0, "float64") as Tensor);
}

const floatIndices = (inputs: readonly Tensor[]): number[] =>
  inputs.map((_, i) => i).filter((i) => isFloat(inputs[i].dtype) && inputs[i].size > 0);

describe("reverse rules", () => {
  it.each(differentiable)("$title is what finite differences say", (c) => {
    const inputs = drawInputs(c);
    const outputs = run(c, inputs);
    const cotangents = cotangentsOf(c, outputs);
    const { pull } = vjp((...x: Tensor[]) => run(c, x), ...inputs);
    const gradients = pull(cotangents.map((g, i) => g.cast(outputs[i].dtype)));
    for (const i of floatIndices(inputs)) {
      const numeric = numericGradient(
        (x) => projected(run(c, inputs.with(i, x)), cotangents).reshape([1]),
        inputs[i],
      );
      expect(relativeError(numbersOf(gradients[i]), numeric), `input ${i}`).toBeLessThan(TOLERANCE);
    }
  });

  it.each(differentiable)("$title gives the same for one input alone", (c) => {
    const inputs = drawInputs(c);
    const outputs = run(c, inputs);
    const cotangents = cotangentsOf(c, outputs).map((g, i) => g.cast(outputs[i].dtype));
    const whole = vjp((...x: Tensor[]) => run(c, x), ...inputs).pull(cotangents);
    for (const i of floatIndices(inputs)) {
      const [alone] = vjp((x: Tensor) => run(c, inputs.with(i, x)), inputs[i]).pull(cotangents);
      expect(numbersOf(alone), `input ${i}`).toEqual(numbersOf(whole[i]));
    }
  });

  it.each(differentiable)("$title stays in float32 when its inputs are", (c) => {
    const inputs = drawInputs(c, 0, "float32");
    const { value, pull } = vjp((...x: Tensor[]) => run(c, x), ...inputs);
    const gradients = pull(value.map((y) => randomTensor(c.title, y.shape, y.dtype)));
    gradients.forEach((g, i) => {
      expect(g.type).toBe(inputs[i].type);
    });
  });
});

/** Cases in which two operands have one type, so that they may be one tensor. */
const repeatable = differentiable.filter(({ sample }) => {
  const types = sample.shapes.map((shape, i) => `${sample.dtypes?.[i]}${shape}`);
  return new Set(types).size < types.length;
});

describe("an operand used twice", () => {
  it.each(repeatable)("$title: both uses' gradients add up", (c) => {
    const inputs = drawInputs(c);
    const [first] = inputs;
    const same = inputs.map((x) => (x.type === first.type ? first : x));
    const outputs = run(c, same);
    const cotangents = cotangentsOf(c, outputs);
    const apart = vjp((...x: Tensor[]) => run(c, x), ...same).pull(cotangents);
    const wanted = apart.filter((_, i) => same[i] === first).reduce((a, b) => a.add(b));
    const twice = (z: Tensor): Tensor[] =>
      run(
        c,
        same.map((x) => (x === first ? z : x)),
      );
    const [gradient] = vjp(twice, first).pull(cotangents);
    expect(relativeError(numbersOf(gradient), numbersOf(wanted))).toBeLessThan(1e-13);
  });
});

const forward = opCases((op) => op.jvp !== NOT_DIFFERENTIABLE && !op.composite);

describe("forward rules", () => {
  it.each(forward)("$title agrees with its reverse rule", (c) => {
    const inputs = drawInputs(c);
    const tangents = inputs.map((x, i) =>
      isFloat(x.dtype) ? randomTensor(`${c.title}/tangent/${i}`, x.shape) : zerosLike(x),
    );
    const [outputs, slopes] = jvp((...x: Tensor[]) => run(c, x), inputs, tangents);
    const cotangents = cotangentsOf(c, outputs).map((g, i) => g.cast(outputs[i].dtype));
    const gradients = vjp((...x: Tensor[]) => run(c, x), ...inputs).pull(cotangents);
    const [along, back] = [innerProduct(cotangents, slopes), innerProduct(gradients, tangents)];
    expect(Math.abs(along - back)).toBeLessThan(1e-10 * (1 + Math.abs(back)));
  });

  it.each(forward)("$title takes absent tangents as zero, and returns the type of its outputs", (c) => {
    if (c.op.jvp === NOT_DIFFERENTIABLE) return;
    const inputs = drawInputs(c);
    const outputs = run(c, inputs);
    const tangents = inputs.map((x, i) =>
      isFloat(x.dtype) ? randomTensor(`${c.title}/tangent/${i}`, x.shape) : null,
    );
    const sums = outputs.map((y) => new Float64Array(y.size));
    for (const i of floatIndices(inputs)) {
      const only = tangents.map((t, k) => (k === i ? t : null));
      c.op.jvp(inputs, only, outputs, c.attrs).forEach((t, o) => {
        if (!t) return;
        expect(t.type, `input ${i}`).toBe(outputs[o].type);
        t.toTypedArray().forEach((v, k) => {
          sums[o][k] += v;
        });
      });
    }
    const together = c.op.jvp(inputs, tangents, outputs, c.attrs);
    together.forEach((t, o) => {
      if (t) expect(relativeError(numbersOf(t), Array.from(sums[o]))).toBeLessThan(1e-12);
    });
  });
});

describe("derivatives of derivatives", () => {
  it.each(differentiable)("$title: the reverse rule can be differentiated both ways", (c) => {
    const inputs = drawInputs(c);
    const outputs = run(c, inputs);
    const at = floatIndices(inputs);
    const seeds = cotangentsOf(c, outputs).map((g, i) => g.cast(outputs[i].dtype));
    /** Gradients of the floating-point inputs, as a function of them and of the cotangents. */
    const gradientsOf = (x: readonly Tensor[], g: readonly Tensor[]): Tensor[] => {
      const pulled = vjp((...z: Tensor[]) => run(c, z), ...x).pull(g as Tensor[]);
      return at.map((i) => pulled[i]);
    };
    const first = gradientsOf(inputs, seeds);
    const weights = first.map((g, i) => randomTensor(`${c.title}/second/${i}`, g.shape));
    const second = vjp((x: Tensor[], g: Tensor[]) => gradientsOf(x, g), inputs, seeds).pull(weights);
    const scalarOf = (x: readonly Tensor[], g: readonly Tensor[]) => projected(gradientsOf(x, g), weights);
    for (const i of at) {
      const numeric = numericGradient((x) => scalarOf(inputs.with(i, x), seeds).reshape([1]), inputs[i]);
      expect(relativeError(numbersOf(second[0][i]), numeric), `input ${i}`).toBeLessThan(TOLERANCE);
    }
    seeds.forEach((seed, o) => {
      if (!isFloat(seed.dtype) || seed.size === 0) return;
      const numeric = numericGradient((g) => scalarOf(inputs, seeds.with(o, g)).reshape([1]), seed);
      expect(relativeError(numbersOf(second[1][o]), numeric), `cotangent ${o}`).toBeLessThan(TOLERANCE);
    });
    const directions = at.map((i) => randomTensor(`${c.title}/direction/${i}`, inputs[i].shape));
    const [, slopes] = jvp(
      (...x: Tensor[]) =>
        gradientsOf(
          inputs.map((input, i) => (at.includes(i) ? x[at.indexOf(i)] : input)),
          seeds,
        ),
      at.map((i) => inputs[i]),
      directions,
    );
    const along = innerProduct(slopes, weights);
    const back = innerProduct(
      at.map((i) => second[0][i]),
      directions,
    );
    expect(Math.abs(along - back)).toBeLessThan(1e-10 * (1 + Math.abs(back)));
  });
});

describe("the checks themselves", () => {
  it("cover every op, and each op that is smooth by both modes", () => {
    // Ops with graphs inside are tested with graphs: graph/control, ir/call.
    for (const op of ops().filter(({ kind }) => kind !== "control")) {
      expect(op.samples, op.name).not.toHaveLength(0);
      expect(op.jvp === NOT_DIFFERENTIABLE, op.name).toBe(op.vjp === NOT_DIFFERENTIABLE);
    }
  });

  it("try awkward shapes of ops that there are", () => {
    for (const name of namesInTable) expect(getOp(name).name).toBe(name);
  });

  it("notice a rule that is wrong by a factor", () => {
    const op = getOp("exp");
    const wrong: OpCase["op"] = { ...op, vjp: ([g], { outputs: [y] }) => [g && g.mul(y).mul(1.000001)] };
    const [x] = drawInputs(opCases((o) => o === op)[0]);
    const [gradient] = vjp((z: Tensor) => bind(wrong, [z], {}), x).pull([x.mul(0).add(1)]);
    const numeric = numericGradient((z) => z.exp().sum().reshape([1]), x);
    expect(relativeError(numbersOf(gradient), numeric)).toBeGreaterThan(TOLERANCE);
    expect(sameShape(gradient.shape, x.shape)).toBe(true);
  });
});
