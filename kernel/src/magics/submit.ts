import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join } from "node:path";
import type { MimeBundle } from "../link/messages.js";
import { CommandError } from "./bash.js";
import { type Magic, type MagicContext, UsageError } from "./magic.js";
import { unsavedNames } from "./unsaved.js";

const GRADER = "@mlsys/grader";
/** Options of `mlsys-grade submit` that take a value. */
const VALUED = new Set(["--server", "--token", "--assignment"]);

/**
 * Hands the notebook in to the course's service. The work is the grader's, found from the notebook's folder as its
 * imports are; here its steps are shown and the reader is asked.
 */
export const submit: Magic = {
  name: "submit",
  usage: ["%submit", "%submit FILE", "%submit [FILE] --yes", "%submit [FILE] --server URL"],
  summary:
    "hands in the saved notebook: shows what is sent, runs the visible tests, asks, and gives a receipt",
  form: "line",
  words: ["--yes", "--look", "--server", "--assignment", "--no-check", "--no-wait"],
  run: async (context) => {
    const { file, options } = read(context);
    const { notebook } = context;
    const program = grader(notebook);
    let shown = "";
    const step = async (...more: string[]) => {
      const line = (text: string): void => {
        const { bundle, shown: sha } = JSON.parse(text) as { bundle: MimeBundle; shown?: string };
        shown = sha ?? shown;
        context.show(bundle);
      };
      const args = [program, "submit", file, "--bundles", ...options, ...more];
      const code = await context.spawn(process.execPath, args, { cwd: notebook, line });
      if (code !== 0) throw new CommandError("Nothing was handed in.");
    };
    warnOfUnsaved(file, context);
    const look = options.includes("--look");
    const yes = options.includes("--yes");
    if (!yes) await step(...(look ? [] : ["--look"]));
    if (look) return;
    if (!yes && !agreed(context)) {
      context.print("Nothing was sent.\n");
      return;
    }
    // What was shown, and checked, is what goes.
    await step(...(yes ? [] : ["--yes", "--no-check", "--shown", shown]));
  },
};

/** The file goes, not what is on the screen. */
function warnOfUnsaved(file: string, { cells, print }: MagicContext): void {
  const names = unsavedNames(savedCells(file), cells());
  if (names.length === 0) return;
  print(
    `⚠ Last run with another text than the saved file has: ${names.join(", ")}. Save the notebook (Ctrl+S) and run %submit again.\n`,
    "stderr",
  );
}

function savedCells(file: string): string[] {
  try {
    const { cells } = JSON.parse(readFileSync(file, "utf8")) as {
      cells: { cell_type: string; source: string | string[] }[];
    };
    return cells.filter((cell) => cell.cell_type === "code").map(({ source }) => [source].flat().join(""));
  } catch {
    return []; // the grader says what is wrong with it
  }
}

function agreed(context: MagicContext): boolean {
  try {
    return context.confirm("Hand it in?");
  } catch (error) {
    if ((error as Error).name !== "InputError") throw error;
    throw new UsageError("%submit asks before it sends, and here nobody can be asked: add --yes.");
  }
}

function read({ args, notebook }: MagicContext): { file: string; options: string[] } {
  const words = [...args.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? "");
  const options: string[] = [];
  const files: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith("-")) files.push(word);
    else options.push(word, ...(VALUED.has(word) ? words.slice(++i, i + 1) : []));
  }
  if (files.length > 1) throw new UsageError(`%submit takes one file, found ${files.join(", ")}.`);
  const file = files[0] ?? process.env.JPY_SESSION_NAME;
  if (file === undefined || !file.endsWith(".ipynb"))
    throw new UsageError("%submit does not know this notebook's file here: write %submit FILE.ipynb.");
  const path = isAbsolute(file) ? file : join(notebook, file);
  if (!existsSync(path))
    throw new UsageError(
      `%submit: there is no file ${path}${files.length === 0 ? " (was the notebook renamed?): write %submit FILE.ipynb" : ""}.`,
    );
  return { file: path, options };
}

function grader(notebook: string): string {
  try {
    const manifest = createRequire(join(notebook, "notebook.js")).resolve(`${GRADER}/package.json`);
    return join(dirname(manifest), "bin", "mlsys-grade.mjs");
  } catch {
    throw new UsageError(`%submit needs the package ${GRADER}, which is not to be found from ${notebook}.`);
  }
}
