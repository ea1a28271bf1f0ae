/** Quantized graphs on whole numbers: the same model, within a rounding of one step; and what must stay as it is. */
import { describe, expect, it } from "vitest";
import { deploy, Generator, graph, nn, type Tensor } from "../../index.js";
import type { QuantizeOptions } from "./quantize.js";

const draw = new Generator(8);

class Residual extends nn.Module {
  readonly first = new nn.Conv2d(4, 8, 3, { padding: 1 });
  readonly second = new nn.Conv2d(8, 8, 3, { padding: 1, bias: false });
  readonly deep = new nn.Conv2d(8, 8, 3, { padding: 1, groups: 8 });
  readonly last = new nn.Conv2d(8, 6, 1, { stride: 2 });
  readonly head = new nn.Dense(6, 5);
  override forward(x: Tensor): Tensor {
    const y = this.first.forward(x).relu();
    const z = this.deep.forward(this.second.forward(y).add(y).clip(0, 6));
    return this.head.forward(this.last.forward(z).mean([2, 3]));
  }
}

const samples = [0, 1].map(() => [draw.normal([2, 4, 9, 10])]);
const [x] = samples[0];
const model = new Residual();

function quantized(options: QuantizeOptions = {}) {
  const q = deploy.quantize(model, [x], { samples, ...options });
  const [found] = q.call(x);
  const [wanted] = graph.compile(q.graph, { level: "O0" }).run([x]);
  const ops = q.integers.nodes.map((node) => node.op.name);
  return { q, ops, off: found.sub(wanted).abs().max().item() / wanted.abs().max().item() };
}

describe("on whole numbers", () => {
  it.each([
    ["8 bits", {}],
    ["symmetric", { activations: { symmetric: true } }],
    ["6 bits, one scale", { weights: { bits: 6, perChannel: false } }],
    ["with corrected biases", { biasCorrection: true }],
  ] as const)("%s: dense layers are one op each, and give the same", (_name, options) => {
    const { ops, off } = quantized(options);
    expect(ops.filter((op) => op === "quantizedConv2d").length).toBe(3);
    expect(ops.filter((op) => op === "quantizedMatmul").length).toBe(1);
    // a sum beside a boundary may fall to its other side: a step of 8 bits and what becomes of it
    expect(off).toBeLessThan(0.03);
  });

  it("takes in the bias, the activation and the next layer's quantizing", () => {
    const plain = new nn.Sequential(new nn.Dense(6, 7), new nn.ReLU(), new nn.Dense(7, 3));
    const given = [[draw.normal([5, 6])]];
    const q = deploy.quantize(plain, given[0], { samples: given });
    const [first, second] = q.integers.nodes.filter((node) => node.op.name === "quantizedMatmul");
    expect(first.outputs[0].dtype).toBe("uint8");
    expect(first.attrs).toMatchObject({ least: 0, most: null, output: { dtype: "uint8" } });
    expect(second.attrs).toMatchObject({ least: null, most: null, output: null });
    expect(second.inputs[0]).toBe(first.outputs[0]);
    // nothing is left but quantizing the arguments
    expect(q.integers.nodes.map((node) => node.op.name)).toEqual([
      ...["div", "round", "add", "clip", "cast", "quantizedMatmul", "quantizedMatmul"],
    ]);
  });

  it("what several read, or a result, stays there", () => {
    const { q } = quantized();
    const two = q.graph.with({
      results: [...q.graph.results, q.graph.nodes.filter((n) => n.op.name === "relu")[0].outputs[0]],
    });
    const lowered = deploy.lowerQuantized(two);
    const [, found] = graph.compile(lowered.graph, { level: "O1" }).run([x]);
    const [, wanted] = graph.compile(two, { level: "O0" }).run([x]);
    expect(found.sub(wanted).abs().max().item()).toBeLessThan(1e-4);
  });

  it.each([
    ["filters in groups", {}, 1],
    ["weights alone", { activations: null }, 5],
    ["weights that are shifted", { weights: { correction: true } }, 5],
    ["weights with zero points", { weights: { symmetric: false } }, 5],
  ] as const)("%s stay as they are", (_name, options, count) => {
    const { q, ops, off } = quantized(options);
    expect(ops.filter((op) => op === "conv2d" || op === "matmul").length).toBe(count);
    expect(deploy.lowerQuantized(q.graph).layers).toBe(5 - count);
    expect(off).toBeLessThan(0.03);
  });
});
