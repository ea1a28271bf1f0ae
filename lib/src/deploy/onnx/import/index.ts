/** The import table: a row for each ONNX op. A new op is a row in its family's file. */
import { CONTROL } from "./control.js";
import { ELEMENTWISE } from "./elementwise.js";
import { IMAGES } from "./images.js";
import { INDICES } from "./indices.js";
import { NORMALIZATIONS } from "./normalizations.js";
import { QUANTIZED } from "./quantized.js";
import { RECURRENT } from "./recurrent.js";
import { REDUCTIONS } from "./reductions.js";
import { RESIZE } from "./resize.js";
import type { ImportRow } from "./row.js";
import { SHAPES } from "./shapes.js";

const ROWS: readonly ImportRow[] = [
  ...ELEMENTWISE,
  ...SHAPES,
  ...INDICES,
  ...REDUCTIONS,
  ...IMAGES,
  ...RESIZE,
  ...NORMALIZATIONS,
  ...RECURRENT,
  ...QUANTIZED,
  ...CONTROL,
];

const table = new Map(ROWS.map((row) => [keyOf(row.domain, row.op), row]));

/** ONNX's own domain has two names. */
export function keyOf(domain: string | undefined, op: string): string {
  return `${domain === "ai.onnx" ? "" : (domain ?? "")}:${op}`;
}

export function importRow(domain: string | undefined, op: string): ImportRow | undefined {
  return table.get(keyOf(domain, op));
}

/**
 * Names of the ops of ONNX that can be read.
 * @example deploy.importedOps().includes("Conv") // true
 */
export function importedOps(): string[] {
  return ROWS.map(({ op }) => op).sort();
}
