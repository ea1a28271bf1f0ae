/**
 * A cell may declare a name that Node's globals have (`const process = 1`, `import { setTimeout } from …`).
 * In V8 such a declaration would change the name for every module too, and break libraries. So the reader's own gets
 * an alias, and the free references of this cell and of later ones are replaced by it.
 */
import type { Program } from "acorn";
import { topLevelBindings } from "./bindings.js";
import { Edits } from "./edits.js";

/** A global of this name behind it is the reader's own. */
export const SHADOW_PREFIX = "__cell_";

export function declaredGlobals(program: Program, globals: ReadonlySet<string>): string[] {
  const names = topLevelBindings(program).map(({ name }) => name);
  return [...new Set(names)].filter((name) => globals.has(name));
}

/** The code with these declarations under their alias; references stay, and are free now. */
export function renamed(code: string, program: Program, names: readonly string[]): string {
  const edits = new Edits();
  for (const binding of topLevelBindings(program))
    if (names.includes(binding.name)) binding.rename(edits, SHADOW_PREFIX + binding.name);
  return edits.apply(code).code;
}

/** Replaces free references, which esbuild finds scope by scope. The map leads through `map` where there is one. */
export async function aliased(
  code: string,
  map: string | undefined,
  names: readonly string[],
): Promise<{ code: string; map: string }> {
  const esbuild = await import("esbuild");
  const comment = map
    ? `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString("base64")}`
    : "";
  return esbuild.transform(code + comment, {
    loader: "js",
    target: "es2022",
    sourcemap: "external",
    sourcefile: "cell",
    sourcesContent: false,
    logLevel: "silent",
    define: Object.fromEntries(names.map((name) => [name, SHADOW_PREFIX + name])),
  });
}
