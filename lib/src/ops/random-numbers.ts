/** Everything under the name `random`. */
export * from "./distributions.js";
export * from "./random.js";
