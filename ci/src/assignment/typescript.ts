/** The compiler's API, by `require`: importing it, Node would first search its nine megabytes for the names of exports. */
import { createRequire } from "node:module";
import type * as typescript from "typescript";

export const ts = createRequire(import.meta.url)("typescript") as typeof typescript;
