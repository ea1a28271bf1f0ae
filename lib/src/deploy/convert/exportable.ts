/** What can be deployed, as a graph: functions, modules, and graphs themselves. */
import { captureWith } from "../../graph/capture.js";
import { captureSymbolic } from "../../graph/dynamic.js";
import { SymbolicGraph } from "../../ir/dynamic/symbolic-graph.js";
import { Graph } from "../../ir/graph.js";
import { freeze } from "../../ir/json.js";
import { Module } from "../../nn/module.js";

/** What can be deployed. A module is its `forward`, as it is set now: call `eval()` first. */
export type Exportable = Graph | SymbolicGraph | Module | ((...args: never[]) => unknown);

/** The graph with its weights as constants; with open sizes where `args` are types as text, `"float32(n, 3)"`. */
export function graphOf(
  model: Exportable,
  args: readonly unknown[],
  name?: string,
): { graph: Graph; symbolic: boolean } {
  if (model instanceof SymbolicGraph) return { graph: model.template, symbolic: true };
  if (model instanceof Graph) return { graph: freeze(model), symbolic: false };
  const f =
    model instanceof Module
      ? (...given: unknown[]) => (model.forward as (...inputs: unknown[]) => unknown).apply(model, given)
      : (model as (...given: unknown[]) => unknown);
  const label = name ?? (model instanceof Module ? model.constructor.name : f.name || "f");
  if (args.length > 0 && args.every((arg) => typeof arg === "string")) {
    const named = Object.defineProperty((...given: never[]) => f(...given), "name", { value: label });
    return { graph: captureSymbolic(named as never, ...(args as string[])).template, symbolic: true };
  }
  return { graph: freeze(captureWith({ name: label }, f, ...args)), symbolic: false };
}
