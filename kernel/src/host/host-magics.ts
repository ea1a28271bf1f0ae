/** The magics that change the host run before the rest of their cell is compiled. */
import type { CellText } from "../compile/magics.js";
import type { ErrorReport } from "../link/messages.js";
import { type HostContext, UsageError } from "../magics/magic.js";
import { syntaxReport } from "./problems.js";

/**
 * @param source the cell as the reader wrote it
 * @param name of the cell's script
 * @returns what is wrong with one, at its line
 */
export async function runHostMagics(
  cell: CellText,
  context: Omit<HostContext, "args">,
  source: string,
  name: string,
): Promise<ErrorReport | undefined> {
  for (const { magic, args, line } of cell.host) {
    try {
      await magic.host?.({ ...context, args });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return syntaxReport({ name: error.name, message: error.message, line, column: 1 }, source, name);
    }
  }
  return undefined;
}

/** Nothing but magics and comments: there is nothing to check. */
export function isEmptyText(text: string): boolean {
  return text.split("\n").every((line) => /^\s*(\/\/.*)?$/.test(line));
}
