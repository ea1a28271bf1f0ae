/** What a reader of the compiler's front end takes apart: rewriting, functional form, types, renderings. (Book, chapter 4.) */
export * as effects from "./effects/index.js";
export * as functional from "./functional/index.js";
export * as hindleyMilner from "./hindley-milner/index.js";
export { LAYOUT } from "./passes/layout.js";
export { SIMPLIFY } from "./passes/simplify.js";
export { STRENGTH } from "./passes/strength.js";
export { type Rendering, render, renderings } from "./render/index.js";
export { mindirText } from "./render/mindir.js";
export { mlirText } from "./render/mlir.js";
export type { Match } from "./rewrite/match.js";
export { formatPattern, type OperandClass, opsOf, type Pattern, parsePattern } from "./rewrite/pattern.js";
export {
  type Build,
  type Emitter,
  type RewriteOptions,
  type Rule,
  type RuleSource,
  rewrite,
  rules,
} from "./rewrite/rewrite.js";
export * as symbolic from "./symbolic/index.js";
