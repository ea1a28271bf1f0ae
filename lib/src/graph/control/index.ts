/** Control flow that a graph can hold: cond, switchCase, whileLoop, scan. */
export { cond, switchCase } from "./branch.js";
export { type ScanOptions, scan } from "./scan.js";
export { whileLoop } from "./while.js";
