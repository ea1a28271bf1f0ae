/** The learner's side of the wire: names of the notebook, and source text that a test sends. */
import { MissingName } from "../wire/peer.js";
import { WireError } from "../wire/typed-arrays.js";
import type { Portable } from "../wire/values.js";
import { isName } from "./names.js";

// Indirect, so that it sees the notebook's global scope: let, const and class of earlier cells included.
// biome-ignore lint/security/noGlobalEval: looking up names of the notebook is what it is for
const evaluate = globalThis.eval;

/** The value of a name of the notebook. @throws MissingName if it is not defined. */
export function resolveName(name: string): unknown {
  if (!isName(name)) throw new MissingName(`"${name}" is not a name`);
  let value: unknown;
  try {
    value = evaluate(name);
  } catch (error) {
    if (error instanceof ReferenceError)
      throw new MissingName(`${name} is not defined: run the cell that defines it`);
    throw new MissingName(`${name} is not defined`);
  }
  if (value === undefined) throw new MissingName(`${name} is undefined`);
  return value;
}

/** Compiles a function that travelled as text. */
export function compilePortable({ source, scope }: Portable): unknown {
  const names = Object.keys(scope);
  if (!names.every((name) => isName(name))) throw new WireError("portable: a bad name in its scope");
  const make = evaluate(`((${names.join(", ")}) => (${source}))`) as (...values: unknown[]) => unknown;
  return make(...names.map((name) => scope[name]));
}
