/** The table of a model: its modules, what comes out of them, their parameters. */
import { noGrad } from "../autodiff/tape-mode.js";
import { Variable } from "../autodiff/variable.js";
import { formatShape } from "../core/shape.js";
import { leaves } from "../core/tree.js";
import { tidy } from "../ops/tidy.js";
import type { Module } from "./module.js";

/** With `inputs`, `forward` runs once and the column of shapes is filled in. */
export function summaryOf(model: Module, inputs: readonly unknown[]): string {
  const modules = model.namedModules();
  const shapes = inputs.length > 0 ? outputShapes(model, inputs) : null;
  const rows = modules.map(([path, module]) => {
    const own = Object.entries(module).filter(
      (entry): entry is [string, Variable] => entry[1] instanceof Variable,
    );
    const count = own.reduce((sum, [, v]) => sum + v.size, 0);
    return [
      path || "(model)",
      module.constructor.name,
      ...(shapes ? [shapes.get(module) ?? ""] : []),
      own.map(([name, v]) => `${name} ${formatShape(v.shape)}`).join(", "),
      count ? count.toLocaleString("en-US") : "",
    ];
  });
  const head = ["module", "type", ...(shapes ? ["output"] : []), "parameters", "count"];
  return [...formatTable([head, ...rows]), ...totals(model)].join("\n");
}

/** What came out of each module, in one run in evaluation mode. */
function outputShapes(model: Module, inputs: readonly unknown[]): Map<Module, string> {
  const shapes = new Map<Module, string>();
  const modes = model.namedModules().map(([, module]) => ({ module, training: module.training }));
  const off = modes.map(({ module }) =>
    module.registerForwardHook((_m, _inputs, output) => {
      shapes.set(
        module,
        leaves(output)
          .map((y) => formatShape(y.shape))
          .join(", "),
      );
    }),
  );
  try {
    model.eval();
    noGrad(() =>
      tidy(() => {
        (model.forward as (...x: unknown[]) => unknown)(...inputs);
        return null;
      }),
    );
  } finally {
    for (const take of off) take();
    for (const { module, training } of modes) module.training = training;
  }
  return shapes;
}

function formatTable(table: readonly (readonly string[])[]): string[] {
  const last = table[0].length - 1;
  const width = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  const lines = table.map((row) =>
    row
      .map((cell, i) => (i === last ? cell.padStart(width[i]) : cell.padEnd(width[i])))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0], "-".repeat(lines[0].length), ...lines.slice(1)];
}

function totals(model: Module): string[] {
  const sizes = (variables: readonly Variable[]): number => variables.reduce((sum, v) => sum + v.size, 0);
  const trainable = sizes(model.parameters());
  const all = sizes(model.namedVariables().map(([, v]) => v));
  const rest = all - trainable;
  const also = rest > 0 ? `, ${rest.toLocaleString("en-US")} more that are not trained` : "";
  return [`${trainable.toLocaleString("en-US")} trainable parameters${also}`];
}
