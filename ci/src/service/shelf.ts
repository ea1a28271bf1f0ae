/** Notebooks that a learner can pick instead of uploading: those in a folder of the learner's own on this machine. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { readRegularFile } from "../notebook/format.js";
import { Refusal } from "./problems.js";

const MAX_FILES = 200;

export class Shelf {
  /** @param folder holds one folder for each person, named by the id */
  constructor(
    private readonly folder: string,
    private readonly maxBytes: number,
  ) {}

  /** Names of regular `.ipynb` files: no links, no hidden ones, nothing from folders within. */
  async list(person: string): Promise<string[]> {
    const own = join(this.folder, person);
    const entries = await readdir(own, { withFileTypes: true }).catch(() => []);
    // The folder itself may be a link to somebody else's.
    if (!(await lstat(own).catch(() => undefined))?.isDirectory()) return [];
    return entries
      .filter((entry) => entry.isFile() && /^[^.].*\.ipynb$/.test(entry.name))
      .map(({ name }) => name)
      .sort()
      .slice(0, MAX_FILES);
  }

  /** @throws Refusal unless it is one of the list; InputError when it has turned into something else */
  async read(person: string, name: string): Promise<Buffer> {
    if (!(await this.list(person)).includes(name))
      throw new Refusal(
        404,
        "not-yours",
        `There is no notebook ${JSON.stringify(name.slice(0, 100))} in your folder.`,
      );
    return readRegularFile(join(this.folder, person, name), this.maxBytes);
  }
}
