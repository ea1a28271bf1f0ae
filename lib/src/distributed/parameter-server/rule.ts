/**
 * The library's own update rules on what a server holds: a slice of a tensor, or rows of a table that each have taken a
 * number of steps of their own. Rules that look at one element at a time give on slices what they give on the whole.
 */
import { Variable } from "../../autodiff/variable.js";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import "../../ops/index.js"; // gives tensors their methods, also in processes that load only this
import { tidy } from "../../ops/tidy.js";
import { Adadelta, Adamax, Lion } from "../../optim/adaptive.js";
import type { Optimizer } from "../../optim/optimizer.js";
import { AdaGrad, Adam, AdamW, RMSProp, SGD } from "../../optim/rules.js";
import { type DenseTensor, readElements } from "../../runtime/dense.js";
import type { OptimizerSpec } from "./job.js";

/** Not LAMB: its step depends on the norm of a whole tensor, which no server sees. */
export const RULES = { SGD, Adam, AdamW, AdaGrad, RMSProp, Adadelta, Adamax, Lion } as const;
export type RuleName = keyof typeof RULES;

const read = (value: Tensor): ArrayLike<number> => readElements(value as DenseTensor);

export class UpdateRule {
  private readonly optimizer: Optimizer;
  readonly slotNames: readonly string[];

  /** @throws ValueError for options that the rule refuses */
  constructor({ rule, ...options }: OptimizerSpec) {
    const Rule = RULES[rule] as new (target: unknown, options: object) => Optimizer;
    if (!Rule) throw new ValueError(`parameter server: there is no rule ${JSON.stringify(rule)}`);
    this.optimizer = new Rule([new Variable(tensor([0]))], options);
    this.slotNames = Object.keys(this.optimizer.init([]).slots);
  }

  /**
   * A step in place.
   * @param values [rows, width], as its gradient and slots
   * @param steps steps taken before, of all rows together or of each
   */
  step(
    values: Float32Array,
    gradient: Float32Array,
    slots: readonly Float32Array[],
    steps: Float64Array,
  ): void {
    const shape = [steps.length, values.length / steps.length];
    const made = (data: Float32Array | Float64Array, sizes: number[] = shape): Tensor =>
      tensor(data, { shape: sizes });
    tidy(() => {
      const state = {
        step: made(steps, [steps.length, 1]),
        slots: Object.fromEntries(this.slotNames.map((name, i) => [name, [made(slots[i])]])),
      };
      const next = this.optimizer.update([made(values)], [made(gradient)], state);
      values.set(read(next.parameters[0]));
      this.slotNames.forEach((name, i) => {
        slots[i].set(read(next.state.slots[name][0]));
      });
    });
    for (let i = 0; i < steps.length; i++) steps[i]++;
  }
}
