/** How values look between ops. Uses of one op type share its interface, so what is connected through types looks the same. */
import { typeOf } from "../../../ir/graph.js";
import type { Dice } from "../dice.js";
import type { Edge } from "./clusters.js";
import { type Form, randomForm } from "./interface.js";
import type { Instance, OpType } from "./types.js";

/** An end of values: an operand or a result of an op type. */
type Port = `${string} ${"in" | "out"} ${number}`;

const port = ({ name }: OpType, side: "in" | "out", i: number): Port => `${name} ${side} ${i}`;

export class Forms {
  private readonly parents = new Map<Port | Edge, Port | Edge>();
  private readonly forms = new Map<Port | Edge, Form>();

  /** @param asTheyAre arguments and results of the model */
  constructor(
    instances: readonly Instance[],
    asTheyAre: readonly Edge[],
    private readonly blendable: boolean,
    private readonly dice: Dice,
  ) {
    for (const { type, inputs, outputs } of instances) {
      inputs.forEach((edge, i) => {
        this.join(port(type, "in", i), edge);
      });
      outputs.forEach((edge, i) => {
        this.join(port(type, "out", i), edge);
      });
    }
    for (const edge of asTheyAre) this.forms.set(this.root(edge), null);
  }

  of(edge: Edge): Form {
    const root = this.root(edge);
    let form = this.forms.get(root);
    if (form === undefined) {
      form = randomForm(edge.type, this.blendable && this.dice.chance(0.7), this.dice);
      this.forms.set(root, form);
    }
    return form;
  }

  /** That of a result that no use names. */
  ofResult({ core }: OpType, result: number): Form {
    return randomForm(typeOf(core.results[result]), false, this.dice);
  }

  private root(of: Port | Edge): Port | Edge {
    let at = of;
    for (let up = this.parents.get(at); up !== undefined; up = this.parents.get(at)) at = up;
    return at;
  }

  private join(a: Port | Edge, b: Port | Edge): void {
    const [from, to] = [this.root(a), this.root(b)];
    if (from !== to) this.parents.set(from, to);
  }
}
