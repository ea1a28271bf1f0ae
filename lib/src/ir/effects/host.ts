/** What effects act on: named cells and a place to print to. */
import type { Tensor } from "../../core/tensor.js";
import { IRError } from "../graph.js";

/** Gives effects their meaning while a graph runs. */
export interface EffectHost {
  /** The value of a cell. @throws if there is none of this name */
  read(cell: string): Tensor;
  assign(cell: string, value: Tensor): void;
  print(label: string, value: Tensor): void;
}

/** Cells in a table, prints in a list. */
export class EffectLog implements EffectHost {
  private readonly cells: Map<string, Tensor>;
  /** Every effect in the order in which it happened: `x = -3`, `loss: 0.5`; reads leave no trace. */
  readonly events: string[] = [];

  /** @param cells their first values, which stay the caller's */
  constructor(cells: Readonly<Record<string, Tensor>> = {}) {
    this.cells = new Map(Object.entries(cells).map(([name, value]) => [name, value.retained()]));
  }

  read(cell: string): Tensor {
    const value = this.cells.get(cell);
    if (!value)
      throw new IRError(
        `read: there is no cell "${cell}"; there are ${[...this.cells.keys()].join(", ") || "none"}`,
      );
    return value;
  }

  assign(cell: string, value: Tensor): void {
    this.cells.get(cell)?.release();
    this.cells.set(cell, value.retained());
    this.events.push(`${cell} = ${textOf(value)}`);
  }

  print(label: string, value: Tensor): void {
    this.events.push(`${label}: ${textOf(value)}`);
  }
}

const textOf = (x: Tensor): string => JSON.stringify(x.toArray());

/** Without cells; prints on the console. */
const CONSOLE: EffectHost = {
  read: (cell) => {
    throw new IRError(`read: there is no cell "${cell}"; run the graph inside of withEffects`);
  },
  assign: (cell) => {
    throw new IRError(`assign: there is no cell "${cell}"; run the graph inside of withEffects`);
  },
  print: (label, value) => console.log(`${label}: ${textOf(value)}`),
};

let current: EffectHost = CONSOLE;

/** The host that effects act on now. */
export const effectHost = (): EffectHost => current;

/**
 * Runs `body` with a host for the effects of the graphs that run in it.
 * @example
 * const seen = new ir.effects.EffectLog();
 * const g = ir.effects.capture((io) => io.print("x", tensor(3)));
 * ir.effects.withEffects(seen, () => graph.interpret(g, []));
 * seen.events // ["x: 3"]
 */
export function withEffects<T>(host: EffectHost, body: () => T): T {
  const before = current;
  current = host;
  try {
    return body();
  } finally {
    current = before;
  }
}
