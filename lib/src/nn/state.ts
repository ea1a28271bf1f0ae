/** Values of variables by name: taken, and put back. What models and optimizers write to checkpoints. */
import type { Variable } from "../autodiff/variable.js";
import { MlsysError } from "../core/errors.js";
import { formatShape, sameShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";

/** The present values. They share memory with the variables until those change, and stay as they are then. */
export function snapshot(variables: Iterable<readonly [string, Variable]>): Map<string, Tensor> {
  const out = new Map<string, Tensor>();
  for (const [name, variable] of variables) {
    const value = variable.value.retained();
    value.collectable();
    out.set(name, value);
  }
  return out;
}

/** Problems that a message lists; a file of another model has hundreds. */
const MOST_LISTED = 8;

/**
 * Assigns values by name, cast to the variables' dtypes.
 * @throws MlsysError that lists missing, unknown and misshapen entries; nothing is assigned then.
 */
export function assignState(
  variables: Iterable<readonly [string, Variable]>,
  state: ReadonlyMap<string, Tensor>,
  where: string,
): void {
  const wanted = new Map(variables);
  const problems: string[] = [];
  for (const [name, variable] of wanted) {
    const value = state.get(name);
    if (!value) problems.push(`${name} is missing`);
    else if (!sameShape(value.shape, variable.shape))
      problems.push(
        `${name} has shape ${formatShape(value.shape)}, the model's is ${formatShape(variable.shape)}`,
      );
  }
  for (const name of state.keys()) if (!wanted.has(name)) problems.push(`${name} is not in the model`);
  if (problems.length > 0) {
    const more = problems.length > MOST_LISTED ? `; and ${problems.length - MOST_LISTED} more` : "";
    throw new MlsysError(`${where}: ${problems.slice(0, MOST_LISTED).join("; ")}${more}`);
  }
  for (const [name, variable] of wanted) variable.assign((state.get(name) as Tensor).cast(variable.dtype));
}
