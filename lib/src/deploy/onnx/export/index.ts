/** The export table: a row for each op of this library that ONNX can say. */
import type { GraphNode } from "../../../ir/graph.js";
import { OnnxError } from "../schema.js";
import { CONTROL } from "./control.js";
import { ELEMENTWISE } from "./elementwise.js";
import type { Exporter } from "./exporter.js";
import { type ExportRow, NodeExport } from "./row.js";
import { SHAPES } from "./shapes.js";

const ROWS: readonly ExportRow[] = [...ELEMENTWISE, ...SHAPES, ...CONTROL];

const table = new Map(ROWS.map((row) => [row.op, row]));

/**
 * Names of the ops of this library that can be written.
 * @example deploy.exportedOps().includes("conv2d") // true
 */
export function exportedOps(): string[] {
  return [...table.keys()].sort();
}

/** Writes one node. @throws OnnxError naming the node, its line, and the opset. */
export function exportNode(node: GraphNode, exporter: Exporter): readonly string[] {
  const where = `onnx: ${node.op.name} (%${node.outputs[0]?.id ?? "?"})${node.loc ? ` at ${node.loc}` : ""}`;
  const row = table.get(node.op.name);
  if (!row)
    throw new OnnxError(
      `${where} has no form in ONNX opset ${exporter.opset}; write it in other ops, or give its result to the model as an input`,
    );
  if (row.since !== undefined && exporter.opset < row.since)
    throw new OnnxError(`${where} needs opset ${row.since} or newer, ${exporter.opset} was asked for`);
  try {
    const found = row.write(new NodeExport(node, exporter));
    return typeof found === "string" ? [found] : found;
  } catch (error) {
    if (!(error instanceof OnnxError) || error.message.startsWith("onnx: ")) throw error;
    throw new OnnxError(`${where}, opset ${exporter.opset}: ${error.message}`, { cause: error });
  }
}
