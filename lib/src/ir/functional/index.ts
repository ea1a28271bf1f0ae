/** Functions as values, free variables, and reverse mode by closures. */
export { type Abstract, formatAbstract } from "./abstract.js";
export { gradient, J } from "./closures.js";
export { fromGraph } from "./convert.js";
export { evaluate, type FValue } from "./evaluate.js";
export {
  type ANode,
  CNode,
  callsOf,
  FuncGraph,
  freeVariables,
  functionsOf,
  ParameterNode,
  type Primitive,
  ValueNode,
  ZERO,
} from "./func-graph.js";
export { InferenceError, inferTypes, type Specialization, TypeInference } from "./infer.js";
