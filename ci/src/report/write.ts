/** Report files: written beside and renamed, so that a reader never sees half of one. */
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Report } from "../judge/report.js";
import { reportAsHtml } from "./html.js";

/** One page to a file, or one page per report into a folder. @returns the files */
export async function writeHtml(path: string, reports: readonly Report[]): Promise<string[]> {
  const isFolder = await stat(path).then(
    (info) => info.isDirectory(),
    () => !path.endsWith(".html"),
  );
  if (!isFolder) {
    if (reports.length !== 1)
      throw new Error(`--html ${path}: one page can't hold ${reports.length} reports; name a folder`);
    await replaceFile(path, reportAsHtml(reports[0]));
    return [path];
  }
  const used = new Set<string>();
  const files: string[] = [];
  for (const report of reports) {
    const file = join(path, `${freeName(pageName(report.file), used)}.html`);
    await replaceFile(file, reportAsHtml(report));
    files.push(file);
  }
  return files;
}

/** The folder's name belongs to it: a course collects `alice/03.ipynb`, `bob/03.ipynb`. */
function pageName(file: string): string {
  const parts = [basename(dirname(file)), basename(file, ".ipynb")].filter(
    (part) => part !== "" && !part.startsWith("."),
  );
  return (
    parts
      .join("-")
      .replace(/[^\p{L}\p{N}_-]+/gu, "_")
      .slice(0, 100) || "report"
  );
}

function freeName(name: string, used: Set<string>): string {
  let free = name;
  for (let n = 2; used.has(free); n++) free = `${name}-${n}`;
  used.add(free);
  return free;
}

/** Readers see the old file or the new one, never half of one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, text);
  await rename(draft, path);
}
