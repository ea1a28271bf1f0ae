import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandError } from "./bash.js";
import { type Magic, UsageError } from "./magic.js";

const npm = process.platform === "win32" ? "npm.cmd" : "npm";

export const install: Magic = {
  name: "install",
  usage: ["%install PACKAGE…"],
  summary: "installs npm packages into the notebook's project; cells can import them at once",
  form: "line",
  run: async ({ args, notebook, spawn, packagesChanged }) => {
    const packages = args.split(/\s+/).filter(Boolean);
    if (packages.length === 0) throw new UsageError("%install takes the names of npm packages.");
    const code = await spawn(
      npm,
      ["install", "--no-audit", "--no-fund", "--prefix", projectOf(notebook), ...packages],
      {
        cwd: notebook,
      },
    );
    if (code !== 0) throw new CommandError(`npm install ended with exit code ${code}.`);
    packagesChanged();
  },
};

/**
 * The nearest folder with a package.json, from the notebook's upwards, else the notebook's own. (npm by itself would also
 * take any folder above that has a `node_modules`.)
 */
function projectOf(notebook: string): string {
  for (let folder = notebook; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (dirname(folder) === folder) return notebook;
  }
}
