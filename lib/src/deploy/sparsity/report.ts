/** Tables: how sparse a model is, and what pruning each of its layers would cost. */

import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";
import { formatShape, type Shape } from "../../core/shape.js";
import type { Module } from "../../nn/module.js";
import { maskOf, type Parameter, parameterOf, weights } from "./mask.js";
import { outputAxis } from "./prune.js";
import { countOf, leastOf } from "./select.js";

/** One parameter. */
export interface SparsityRow {
  readonly path: string;
  readonly shape: Shape;
  readonly size: number;
  /** Zeros, those that a mask hides included. */
  readonly zeros: number;
  readonly sparsity: number;
  /** Outputs (filters, columns) of which nothing is left, of all. */
  readonly emptyOutputs: number;
  readonly outputs: number;
  readonly masked: boolean;
}

/** How sparse a model is; shows itself as a table. */
export class SparsityReport {
  constructor(readonly rows: readonly SparsityRow[]) {}

  get size(): number {
    return this.rows.reduce((sum, row) => sum + row.size, 0);
  }

  get zeros(): number {
    return this.rows.reduce((sum, row) => sum + row.zeros, 0);
  }

  /** Share of zeros of all. */
  get sparsity(): number {
    return this.size === 0 ? 0 : this.zeros / this.size;
  }

  private cells(): string[][] {
    const row = (...cells: (string | number)[]): string[] => cells.map(String);
    const line = (r: SparsityRow): string[] =>
      row(
        r.path,
        formatShape(r.shape),
        r.size,
        r.zeros,
        percent(r.sparsity),
        `${r.emptyOutputs}/${r.outputs}`,
      );
    return [
      row("weight", "shape", "elements", "zeros", "sparsity", "empty outputs"),
      ...this.rows.map(line),
      row("total", "", this.size, this.zeros, percent(this.sparsity), ""),
    ];
  }

  toString(): string {
    return textTable(this.cells());
  }

  [displaySymbol](): MimeBundle {
    return tableBundle(this.cells());
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Columns of the same width; the first to the left, the others to the right. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, k) => Math.max(...rows.map((row) => row[k].length)));
  return rows
    .map((row) =>
      row
        .map((cell, k) => (k === 0 ? cell.padEnd(widths[k]) : cell.padStart(widths[k])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A table as text and as HTML. The first row is the head. */
export function tableBundle(rows: readonly (readonly string[])[]): MimeBundle {
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  const body = rows.slice(1).map((row) => cells(row, "td"));
  return {
    "text/plain": textTable(rows),
    "text/html": `<table><thead>${cells(rows[0], "th")}</thead><tbody>${body.join("")}</tbody></table>`,
  };
}

/**
 * How sparse the weights of a model are (default: of its Dense and convolution layers).
 * @example
 * const model = new nn.Sequential(new nn.Dense(4, 4), new nn.ReLU(), new nn.Dense(4, 1));
 * deploy.prune.l1Unstructured(model.layers[0], "weight", 0.5);
 * deploy.prune.report(model).rows.map((row) => row.sparsity) // [0.5, 0]
 */
export function report(model: Module, parameters: readonly Parameter[] = weights(model)): SparsityReport {
  const paths = pathsIn(model);
  return new SparsityReport(
    parameters.map((parameter) => {
      const { shape, value } = parameterOf(parameter);
      const values = value.toTypedArray();
      const mask = maskOf(parameter)?.toTypedArray();
      const axis = shape.length > 1 ? outputAxis(parameter[0]) : 0;
      const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
      const live = new Uint8Array(shape[axis] ?? 1);
      let zeros = 0;
      for (let i = 0; i < values.length; i++) {
        if (values[i] === 0 || mask?.[i] === 0) zeros++;
        else live[Math.floor(i / inner) % live.length] = 1;
      }
      const size = values.length;
      const emptyOutputs = live.filter((x) => x === 0).length;
      const path = pathOf(paths, parameter);
      return {
        ...{ path, shape, size, zeros, sparsity: zeros / size, emptyOutputs, outputs: live.length },
        masked: mask !== undefined,
      };
    }),
  );
}

const pathsIn = (model: Module): Map<Module, string> =>
  new Map(model.namedModules().map(([path, module]) => [module, path]));

function pathOf(paths: ReadonlyMap<Module, string>, [module, name]: Parameter): string {
  const path = paths.get(module);
  return path ? `${path}.${name}` : name;
}

/** What a number becomes when one parameter alone is pruned. */
export interface SensitivityRow {
  readonly path: string;
  readonly size: number;
  /** For each of the amounts. */
  readonly scores: readonly number[];
}

/** What pruning each layer alone does to a number; shows itself as a table. */
export class Sensitivity {
  constructor(
    readonly amounts: readonly number[],
    /** Of the model as it is. */
    readonly baseline: number,
    readonly rows: readonly SensitivityRow[],
  ) {}

  private cells(): string[][] {
    return [
      ["weight", "elements", ...this.amounts.map(percent)],
      ...this.rows.map((row) => [row.path, String(row.size), ...row.scores.map((s) => s.toPrecision(4))]),
    ];
  }

  toString(): string {
    return `${textTable(this.cells())}\nunpruned: ${this.baseline.toPrecision(4)}`;
  }

  [displaySymbol](): MimeBundle {
    return { ...tableBundle(this.cells()), "text/plain": this.toString() };
  }
}

export interface SensitivityOptions {
  /** Shares of each parameter that are tried. Default 0.5, 0.7, 0.9. */
  readonly amounts?: readonly number[];
  /** Default: see `weights`. */
  readonly parameters?: readonly Parameter[];
}

/**
 * Prunes one parameter after the other by magnitude, by each share, and evaluates; the model is as before in the end. Layers
 * that a score falls for should be pruned less. (Han et al. 2015; Li et al. 2017.)
 * @param evaluate a number of the model: accuracy or loss on examples that are not for training
 * @throws ValueError for shares outside 0 to 1; what `evaluate` throws, with the weights put back.
 * @example
 * const model = new nn.Sequential(new nn.Dense(4, 4));
 * const x = ones([1, 4]);
 * (await deploy.prune.sensitivity(model, () => model.forward(x).sum().item(), { amounts: [1] })).rows[0].scores // [0]
 */
export async function sensitivity(
  model: Module,
  evaluate: () => number | Promise<number>,
  { amounts = [0.5, 0.7, 0.9], parameters = weights(model) }: SensitivityOptions = {},
): Promise<Sensitivity> {
  if (parameters.length === 0) throw new ValueError("sensitivity: there is no parameter to prune");
  const paths = pathsIn(model);
  const baseline = await evaluate();
  const rows: SensitivityRow[] = [];
  for (const parameter of parameters) {
    const variable = parameterOf(parameter);
    const before = variable.value.toTypedArray();
    const scores: number[] = [];
    try {
      for (const amount of amounts) {
        const goes = leastOf(before.map(Math.abs), countOf(amount, before.length));
        variable.mutate((elements) => {
          elements.set(before);
          for (const place of goes) elements[place] = 0;
        });
        scores.push(await evaluate());
      }
    } finally {
      variable.mutate((elements) => elements.set(before));
    }
    rows.push({ path: pathOf(paths, parameter), size: before.length, scores });
  }
  return new Sensitivity(amounts, baseline, rows);
}
