/** Programs with effects as graphs, and graphs with effects as pure ones. */
import type { TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { leaves } from "../../core/tree.js";
import { asTensor, type TensorLike } from "../../ops/convert.js";
import { GraphBuilder } from "../builder.js";
import { type Graph, IRError, typeOf, type Value } from "../graph.js";
import { type GraphTrace, withGraphTrace } from "../trace.js";
import { assignOp, type CellAttrs, EFFECTS, printOp, type ReadAttrs, readOp, tokenOp } from "./ops.js";

/** What a program does besides computing, in the order of its calls. */
export interface Effects {
  /** The value of a cell now. */
  read(cell: string, type: TensorType): Tensor;
  assign(cell: string, value: TensorLike): void;
  print(label: string, value: TensorLike): void;
}

/**
 * The graph of a program with effects. Its last result is the last token; in front of it stand the values that the
 * program returns.
 * @example
 * const g = ir.effects.capture((io) => io.assign("x", io.read("y", { shape: [], dtype: "float32" }).add(1)));
 * const seen = new ir.effects.EffectLog({ y: tensor(2) });
 * ir.effects.withEffects(seen, () => graph.interpret(g, []));
 * seen.events // ["x = 3"]
 */
export function capture(program: (io: Effects) => unknown, name = program.name || "f"): Graph {
  return withGraphTrace(name, (trace: GraphTrace) => {
    let [token] = trace.process(tokenOp, [], {});
    const io: Effects = {
      read: (cell, { shape, dtype }) => {
        const [next, value] = trace.process(readOp as never, [token], {
          cell,
          shape,
          dtype,
        } satisfies ReadAttrs);
        token = next;
        return value;
      },
      assign: (cell, value) => {
        [token] = trace.process(assignOp as never, [token, asTensor(value)], { cell } satisfies CellAttrs);
      },
      print: (label, value) => {
        [token] = trace.process(printOp as never, [token, asTensor(value)], { label });
      },
    };
    const results = leaves(program(io));
    return [...results, token];
  }).graph;
}

/** A graph without effects, and what its further parameters and results are. */
export interface Functional {
  readonly graph: Graph;
  /** Cells whose values it takes, behind its own parameters. */
  readonly reads: readonly string[];
  /** Cells whose new values it returns, behind its own results. */
  readonly assigns: readonly string[];
  /** Labels of the values that it returns to be printed, behind those, in order. */
  readonly prints: readonly string[];
}

/**
 * The same program in pure form: state comes in as parameters and goes out as results.
 * @throws IRError if the graph is not well formed
 * @example ir.effects.functionalize(ir.effects.capture((io) => io.print("one", 1))).prints // ["one"]
 */
export function functionalize(graph: Graph): Functional {
  const builder = new GraphBuilder(graph.name);
  const here = new Map<Value, Value>();
  for (const param of graph.params) here.set(param, builder.param(param, param.name));
  for (const { value, data } of graph.constants) here.set(value, builder.constant(data, value.name));
  const get = (value: Value): Value => {
    const found = here.get(value);
    if (!found) throw new IRError(`functionalize: %${value.id} of ${graph.name} is not defined`);
    return found;
  };
  const [reads, prints]: string[][] = [[], []];
  const printed: Value[] = [];
  const cells = new Map<string, Value>();
  const assigned = new Set<string>();
  for (const node of graph.nodes) {
    const { cell, label } = node.attrs as { cell: string; label: string };
    switch (node.op.name) {
      case "token":
        break;
      case "read": {
        if (!cells.has(cell)) {
          reads.push(cell);
          cells.set(cell, builder.param(typeOf(node.outputs[1]), cell));
        }
        here.set(node.outputs[1], cells.get(cell) as Value);
        break;
      }
      case "assign":
        cells.set(cell, get(node.inputs[1]));
        assigned.add(cell);
        break;
      case "print":
        prints.push(label);
        printed.push(get(node.inputs[1]));
        break;
      default: {
        const made = builder.node(node.op, node.inputs.map(get), node.attrs, node.loc);
        node.outputs.forEach((output, i) => {
          here.set(output, made[i]);
        });
      }
    }
  }
  const isToken = (value: Value): boolean =>
    EFFECTS.has(graph.producer(value)?.op.name ?? "") && !here.has(value);
  const own = graph.results.filter((result) => !isToken(result)).map(get);
  const assigns = [...assigned];
  const results = [...own, ...assigns.map((cell) => cells.get(cell) as Value), ...printed];
  return { graph: builder.finish(results), reads, assigns, prints };
}
