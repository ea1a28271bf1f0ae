/** What commands that serve until they are stopped have in common. */
import { CommandError } from "./errors.js";

/** A secret in the arguments could be read by all users of the machine. */
export async function secretOf(file: string | undefined, variable: string): Promise<string | undefined> {
  if (file === undefined) return process.env[variable] || undefined;
  const { readFile } = await import("node:fs/promises");
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    throw new CommandError(`the secret can't be read: ${(error as Error).message}`);
  }
}

export const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
