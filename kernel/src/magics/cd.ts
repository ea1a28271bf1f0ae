import { statSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { type Magic, UsageError } from "./magic.js";

let previous = process.cwd();

export const cd: Magic = {
  name: "cd",
  usage: ["%cd FOLDER", "%cd -", "%cd"],
  summary:
    "changes the working directory (-: the one before; alone: the notebook's folder); imports still resolve from there",
  form: "line",
  run: ({ args, notebook, print }) => {
    const name = unquoted(args);
    const folder =
      name === "" ? notebook : name === "-" ? previous : resolve(name.replace(/^~(?=$|\/)/, homedir()));
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
      throw new UsageError(`%cd: there is no folder ${folder}.`);
    previous = process.cwd();
    process.chdir(folder);
    print(`${process.cwd()}\n`);
  },
};

/** A path may stand in quotes. */
export function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}
