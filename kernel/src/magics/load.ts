import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { unquoted } from "./cd.js";
import { type Magic, UsageError } from "./magic.js";

/** More would make the notebook slow to edit. */
const MAX_CHARACTERS = 1_000_000;

export const load: Magic = {
  name: "load",
  usage: ["%load FILE"],
  summary: "puts the text of a file into the cell, in the place of the magic",
  form: "line",
  run: async ({ args, replaceCell }) => {
    const name = unquoted(args);
    if (name === "") throw new UsageError("%load takes the name of a file.");
    const file = resolve(name);
    const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`%load cannot read ${file}: ${error.code ?? error.message}.`);
    });
    if (text.length > MAX_CHARACTERS)
      throw new UsageError(`%load: ${file} has ${text.length} characters, more than ${MAX_CHARACTERS}.`);
    replaceCell(`// %load ${args}\n${text.replace(/\r\n/g, "\n").replace(/\n$/, "")}`);
  },
};
