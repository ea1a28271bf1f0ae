/** Control flow: cond as If, while as Loop, scan as Scan. Bodies read what no step changes from the graph around them. */
import type { TensorType } from "../../../core/shape.js";
import type { Graph } from "../../../ir/graph.js";
import { type Exporter, infoOf } from "./exporter.js";
import type { ExportRow, NodeExport } from "./row.js";

const BOOL: TensorType = { shape: [], dtype: "bool" };

/** A called graph stands where the call stands. */
export function inlined(exporter: Exporter, graph: Graph, names: readonly string[]): readonly string[] {
  const inner = exporter.inside(graph);
  graph.params.forEach((param, i) => {
    inner.bind(param, names[i]);
  });
  return inner.body();
}

function branch(n: NodeExport, test: string, then: Graph, otherwise: Graph): string[] {
  const operands = n.inputs.slice(1);
  return n.exporter.emit(
    "If",
    [test],
    { then_branch: n.exporter.region(then, operands), else_branch: n.exporter.region(otherwise, operands) },
    then.results.length,
  );
}

function cond(n: NodeExport): string[] {
  const { onTrue, onFalse } = n.attrs<{ onTrue: Graph; onFalse: Graph }>();
  const test = n.dtype === "bool" ? n.inputs[0] : n.emit("Cast", [n.inputs[0]], { to: 9 });
  return branch(n, test, onTrue, onFalse);
}

/** One If inside the other. */
function choice(n: NodeExport): string[] {
  const { branches } = n.attrs<{ branches: readonly Graph[] }>();
  const operands = n.inputs.slice(1);
  const from = (exporter: Exporter, k: number): string[] => {
    if (k === branches.length - 1) return [...inlined(exporter, branches[k], operands)];
    const test = exporter.one("LessOrEqual", [n.inputs[0], exporter.scalar(k, n.dtype)]);
    return exporter.emit(
      "If",
      [test],
      {
        then_branch: exporter.region(branches[k], operands),
        else_branch: exporter.written(branches[k + 1].name, branches[k + 1].results, (inner) =>
          from(inner, k + 1),
        ),
      },
      branches[k].results.length,
    );
  };
  return from(n.exporter, 0);
}

function loop(n: NodeExport): string[] {
  const { cond: test, body, constants } = n.attrs<{ cond: Graph; body: Graph; constants: number }>();
  const { exporter } = n;
  const fixed = n.inputs.slice(0, constants);
  const state = n.inputs.slice(constants);
  const [first] = inlined(exporter, test, n.inputs);
  const step = infoOf(exporter.fresh("step"), { shape: [], dtype: "int64" });
  const on = infoOf(exporter.fresh("on"), BOOL);
  const region = exporter.region(body, [...fixed, ...state.map(() => null)], {
    inputs: [step, on],
    before: (inner, results) => [{ name: inlined(inner, test, [...fixed, ...results])[0], type: BOOL }],
  });
  return exporter.emit("Loop", ["", first, ...state], { body: region }, state.length);
}

function scan(n: NodeExport): string[] {
  const { body, constants, carry, reverse } = n.attrs<{
    body: Graph;
    constants: number;
    carry: number;
    reverse: boolean;
  }>();
  const given = body.params.map((_, i) => (i < constants ? n.inputs[i] : null));
  const arrays = n.inputs.length - constants - carry;
  const outputs = body.results.length - carry;
  const directions = (count: number): number[] => new Array<number>(count).fill(reverse ? 1 : 0);
  const { exporter } = n;
  if (arrays === 0) return counted(n);
  return exporter.emit(
    "Scan",
    n.inputs.slice(constants),
    {
      body: exporter.region(body, given),
      num_scan_inputs: arrays,
      scan_input_directions: directions(arrays),
      ...(outputs > 0 ? { scan_output_directions: directions(outputs) } : {}),
    },
    body.results.length,
  );
}

/** A scan over nothing but a number of steps: Scan of ONNX wants an array, Loop a count. */
function counted(n: NodeExport): string[] {
  const { body, constants, length } = n.attrs<{ body: Graph; constants: number; length: number }>();
  const { exporter } = n;
  const given = body.params.map((_, i) => (i < constants ? n.inputs[i] : null));
  const step = infoOf(exporter.fresh("step"), { shape: [], dtype: "int64" });
  const on = infoOf(exporter.fresh("on"), BOOL);
  const region = exporter.region(body, given, {
    inputs: [step, on],
    before: () => [{ name: on.name as string, type: BOOL }],
  });
  const most = exporter.constant([length], "int64");
  const yes = exporter.constant([1], "bool");
  return exporter.emit(
    "Loop",
    [most, yes, ...n.inputs.slice(constants)],
    { body: region },
    body.results.length,
  );
}

export const CONTROL: readonly ExportRow[] = [
  { op: "call", write: (n) => inlined(n.exporter, n.attrs<{ graph: Graph }>().graph, n.inputs) },
  { op: "fused", write: (n) => inlined(n.exporter, n.attrs<{ graph: Graph }>().graph, n.inputs) },
  { op: "cond", write: cond },
  { op: "switch", write: choice },
  { op: "while", write: loop },
  { op: "scan", write: scan },
];
