import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Magic, noArguments, UsageError } from "./magic.js";

export const bash: Magic = {
  name: "bash",
  usage: ["%%bash"],
  summary: "the cell is a script for bash; a script that ends with an exit code other than 0 is an error",
  form: "cell",
  takes: "text",
  run: async ({ args, body, spawn }) => {
    noArguments("%%bash", args);
    // Not on standard input, which commands of the script would read from.
    const folder = await mkdtemp(join(tmpdir(), "cell-"));
    try {
      const file = join(folder, "cell.sh");
      await writeFile(file, `${body}\n`);
      const code = await spawn("bash", [file]);
      if (code !== 0) throw new CommandError(`The script ended with exit code ${code}.`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new UsageError("%%bash: this machine has no bash.");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** A command that failed. */
export class CommandError extends Error {
  override name = "CommandError";
}
