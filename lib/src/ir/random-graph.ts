/** Random well-formed graphs, for fuzzing: the printer, the parser, the passes, the executors. */
import { randomWords } from "../core/random.js";
import { sameShape, type TensorType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { getOp } from "../ops/registry.js";
import { GraphBuilder } from "./builder.js";
import { callOp } from "./call.js";
import { constantOf } from "./data.js";
import type { Graph, Value } from "./graph.js";

const UNARY = ["neg", "relu", "tanh", "sin", "abs", "square"];
const BINARY = ["add", "sub", "mul", "maximum"];

/** Numbers in [0, 1) from a seed. */
function source(seed: number): () => number {
  const words = randomWords([seed | 0, 77], 4096);
  let next = 0;
  return () => words[next++ % words.length] / 2 ** 32;
}

/** A graph of a few elementwise ops, products, reductions, layout changes, constants and calls, decided by the seed. */
export function randomGraph(seed: number, depth = 0): Graph {
  const random = source(seed + depth * 7919);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const b = new GraphBuilder(pick(["f", "model", "with space", "layer.0"]));
  const matrix: TensorType = { dtype: pick(["float32", "float64"] as const), shape: [3, 3] };
  const values: Value[] = [
    b.param(matrix, pick([null, "x", 'odd "name"'])),
    b.param({ ...matrix, shape: [3] }),
  ];
  const constant = (type: TensorType): Value =>
    b.constant(
      constantOf(
        Array.from({ length: type.shape.reduce((a, d) => a * d, 1) }, () => random() * 4 - 2),
        type,
      ),
    );
  const count = 2 + Math.floor(random() * 10);
  for (let i = 0; i < count; i++) {
    const x = pick(values);
    const like = values.filter((v) => sameShape(v.shape, x.shape));
    const loc = random() < 0.3 ? `cell ${i}.ts:${i + 1}:5` : null;
    const choice = random();
    if (choice < 0.3) values.push(...b.node(getOp(pick(UNARY)), [x], {}, loc));
    else if (choice < 0.6) values.push(...b.node(getOp(pick(BINARY)), [x, pick(like)], {}, loc));
    else if (choice < 0.7) values.push(...b.node(getOp(pick(BINARY)), [x, constant(x)], {}, loc));
    else if (choice < 0.8 && x.shape.length === 2)
      values.push(...b.node(getOp("matmul"), [x, values[0]], {}, loc));
    else if (choice < 0.9)
      values.push(
        ...b.node(getOp("transpose"), [x], { axes: x.shape.map((_, k) => x.shape.length - 1 - k) }, loc),
      );
    else if (depth < 2 && x.dtype === "float32") {
      const inner = randomGraph(seed + 13 * i, depth + 1);
      const args = inner.params.map((param) =>
        values.find((v) => sameShape(v.shape, param.shape) && v.dtype === param.dtype),
      );
      if (args.every((arg) => arg !== undefined))
        values.push(...b.node(callOp as never, args as Value[], { graph: inner }, loc).slice(0, 1));
    }
  }
  const results = [values[values.length - 1], ...(random() < 0.4 ? [pick(values)] : [])];
  return b.finish(results);
}

/** Arguments for a graph, decided by the seed. */
export function randomArguments(graph: Graph, seed: number): Tensor[] {
  const random = source(seed ^ 0x5eed);
  return graph.params.map((param) =>
    constantOf(
      Array.from({ length: param.shape.reduce((a, d) => a * d, 1) }, () => random() * 2 - 1),
      param,
    ),
  );
}
