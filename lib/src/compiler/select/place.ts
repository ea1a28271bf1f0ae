/**
 * placeOnDevices: from a graph to one whose parts run on several devices. Kernels are selected, casts and changes of layout
 * put on the edges that need them, and the nodes cut into as few subgraphs of one device each as their order allows.
 * (Book, chapter 5: kernel selection; subgraphs of heterogeneous graphs.)
 */
import type { DType } from "../../core/dtype.js";
import { DeviceError } from "../../core/errors.js";
import { dagOf } from "../../graph/dag.js";
import { deviceCallOp, type PlacedKernel, type Placement, setPlacer } from "../../graph/placement.js";
import { GraphEditor } from "../../ir/edit.js";
import { Graph, type GraphNode, type Value } from "../../ir/graph.js";
import { eliminateDeadCode } from "../../ir/passes/dce.js";
import type { OptimizationLevel } from "../../ir/passes/manager.js";
import { stage } from "../../ir/trace.js";
import { getOp, type OpDef } from "../../ops/registry.js";
import { devices as allDevices, getDevice } from "../../runtime/devices.js";
import { type Partition, partition } from "../plan/partition.js";
import { PLAIN, programType } from "./candidates.js";
import { choose } from "./choose.js";
import { type ImageLayout, toImageLayout } from "./layouts.js";

export interface PlacedGraph {
  /** One call per subgraph; the graph itself if all runs on the present device as it is. */
  readonly graph: Graph;
  /** Names of the nodes, casts and changes of layout included, by subgraph. */
  readonly partition: Partition;
  /** The kernel of each node of the given graph, by name. */
  readonly kernels: ReadonlyMap<string, PlacedKernel>;
  /** Casts and changes of layout that were inserted. */
  readonly conversions: number;
}

/**
 * @param level of the passes that run within each subgraph
 * @throws DeviceError naming a node whose device this machine does not have.
 * @example
 * const g = capture((x: Tensor, y: Tensor, z: Tensor) => x.add(y).sub(z), ones([2]), ones([2]), ones([2]));
 * compiler.placeOnDevices(g, (node) => (node.op.name === "add" ? "cpu" : "wasm")).partition.subgraphs.map(({ device }) => device) // ["cpu", "wasm"]
 */
export function placeOnDevices(
  graph: Graph,
  placement: Placement = "cost",
  level: OptimizationLevel = "O3",
): PlacedGraph {
  const kernels = choose(graph, placement);
  const names = dagOf(graph).nameOf;
  const there = new Set(allDevices().flatMap(({ name, available }) => (available ? [name] : [])));
  for (const [node, { device }] of kernels)
    if (!there.has(device))
      throw new DeviceError(
        `placeOnDevices: ${names.get(node)} is placed on "${device}", which is not available; there are ${[...there].join(", ")}`,
      );
  const converted = convert(graph, kernels);
  const deviceOf = new Map(converted.graph.nodes.map((node) => [node, converted.deviceOf(node)]));
  const dag = dagOf(converted.graph);
  const found = partition(dag, (name) => deviceOf.get(dag.nodeOf.get(name) as GraphNode) as string);
  const single = found.subgraphs.every(({ device }) => device === getDevice());
  return {
    graph: single
      ? converted.graph
      : split(
          converted.graph,
          found.subgraphs.map((part) => ({
            device: part.device,
            nodes: part.nodes.map((name) => dag.nodeOf.get(name) as GraphNode),
          })),
          level,
        ),
    partition: found,
    kernels: new Map([...kernels].map(([node, kernel]) => [names.get(node) as string, kernel])),
    conversions: converted.conversions,
  };
}

/** A value in a dtype and a layout. */
interface Form {
  readonly dtype: DType;
  readonly layout: string;
}

interface Converted {
  readonly graph: Graph;
  readonly conversions: number;
  deviceOf(node: GraphNode): string;
}

/** Each node as its kernel wants it, with what turns its operands into that. */
function convert(graph: Graph, kernels: ReadonlyMap<GraphNode, PlacedKernel>): Converted {
  const editor = new GraphEditor(graph);
  const home = getDevice();
  const forms = new Map<Value, Map<string, Value>>();
  /** What was computed in another form than the program's. */
  const computed = new Map<Value, { readonly form: Form; readonly value: Value }>();
  const devices = new Map<Value, string>();
  let conversions = 0;
  const emit = (op: OpDef, inputs: readonly Value[], attrs: object, device: string, loc: string | null) => {
    const node = editor.make(op, inputs, attrs, loc);
    editor.push(node);
    editor.changed();
    devices.set(node.outputs[0], device);
    return node.outputs;
  };
  /** The value in a form, converted on a device if it is not there yet. */
  const as = (value: Value, wanted: Form, device: string): Value => {
    const known = forms.get(value) ?? new Map<string, Value>();
    forms.set(value, known);
    const key = `${wanted.dtype} ${wanted.layout}`;
    const there = known.get(key);
    if (there) return there;
    const made = computed.get(value);
    const now = made?.form ?? { dtype: value.dtype, layout: PLAIN };
    let found = made?.value ?? editor.now(value);
    if (now.layout !== wanted.layout) {
      conversions++;
      const [from, to] = [now.layout, wanted.layout] as ImageLayout[];
      const steps = stage("layout", [found], ([x]) => [toImageLayout(x, from, to, value.shape[1])]).graph;
      const here = new Map<Value, Value>([[steps.params[0], found]]);
      for (const node of steps.nodes) {
        const inputs = node.inputs.map((input) => here.get(input) as Value);
        emit(node.op, inputs, node.attrs, device, null).forEach((made, i) => {
          here.set(node.outputs[i], made);
        });
      }
      found = here.get(steps.results[0]) as Value;
    }
    if (found.dtype !== wanted.dtype) {
      conversions++;
      [found] = emit(getOp("cast"), [found], { dtype: wanted.dtype }, device, null);
    }
    known.set(key, found);
    return found;
  };
  for (const node of graph.nodes) {
    const kernel = kernels.get(node) as PlacedKernel;
    const own = programType(node);
    const formFor = ({ dtype, shape }: Value): Form => ({
      dtype: dtype === own ? (kernel.dtype as DType) : dtype,
      layout: shape.length === 4 ? kernel.layout : PLAIN,
    });
    const inputs = node.inputs.map((input) => as(input, formFor(input), kernel.device));
    const typed = own === null || kernel.dtype === own;
    const asIs = kernel.as === undefined && typed && inputs.every((input, i) => input === node.inputs[i]);
    if (asIs) {
      editor.push(node);
      devices.set(node.outputs[0], kernel.device);
      continue;
    }
    const made = emit(getOp(kernel.as ?? node.op.name), inputs, node.attrs, kernel.device, node.loc);
    node.outputs.forEach((output, i) => {
      const form = formFor(output);
      if (form.dtype === output.dtype && form.layout === PLAIN) editor.replace(output, made[i]);
      else computed.set(output, { form, value: made[i] });
    });
  }
  const results = graph.results.map((value) => as(value, { dtype: value.dtype, layout: PLAIN }, home));
  return {
    graph: eliminateDeadCode(editor.finish().with({ results })),
    conversions,
    deviceOf: (node) => devices.get(node.outputs[0]) ?? home,
  };
}

/** Subgraphs, in an order in which they can run, as calls. */
function split(
  graph: Graph,
  parts: readonly { readonly device: string; readonly nodes: readonly GraphNode[] }[],
  level: OptimizationLevel,
): Graph {
  const constants = new Map(graph.constants.map((constant) => [constant.value, constant]));
  const results = new Set(graph.results);
  const calls = parts.map(({ device, nodes }): GraphNode => {
    const inside = new Set(nodes);
    const made = new Set(nodes.flatMap((node) => node.outputs));
    const read = [...new Set(nodes.flatMap((node) => node.inputs))].filter((value) => !made.has(value));
    const inputs = read.filter((value) => !constants.has(value));
    const outputs = [...made].filter(
      (value) => results.has(value) || graph.users(value).some((user) => !inside.has(user)),
    );
    const own = read.flatMap((value) => constants.get(value) ?? []);
    const region = new Graph(`${graph.name}_${device}`, inputs, own, nodes, outputs);
    return {
      op: deviceCallOp as unknown as OpDef,
      inputs,
      attrs: { graph: region, device, level },
      outputs,
      loc: nodes[0].loc,
    };
  });
  return graph.with({ nodes: calls, constants: graph.constants.filter(({ value }) => results.has(value)) });
}

setPlacer((graph, placement, level) => placeOnDevices(graph, placement, level).graph);
