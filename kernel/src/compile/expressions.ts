/** The `user_expressions` of a request, compiled as cells are. */
import { compileCell } from "./cell.js";

/** @param given from the request: anything; entries that are no text are left out */
export async function compileExpressions(
  given: unknown,
  shadowed: ReadonlySet<string>,
): Promise<Record<string, string>> {
  if (typeof given !== "object" || given === null) return {};
  const compiled: Record<string, string> = {};
  for (const [name, code] of Object.entries(given)) {
    if (typeof code !== "string") continue;
    // What cannot be compiled goes as it is: V8's own error becomes the expression's result.
    compiled[name] = await compileCell(code, shadowed).then(
      (cell) => cell.code,
      () => code,
    );
  }
  return compiled;
}
