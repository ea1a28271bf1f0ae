/**
 * What was handed in: notebooks in files, folders and zip files, each with whose it is and when it came. Understood are
 * nbgrader's tree (`submitted/STUDENT/ASSIGNMENT/x.ipynb`), a folder a student, and what Canvas and Moodle download.
 */
import { lstat, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { InputError, type InputProblem, messageOf } from "../errors.js";
import { unpack, ZIP_LIMITS, type ZipLimits } from "./zip.js";

export interface HandedIn {
  /** To be read. */
  file: string;
  /** To be shown and kept: the same in every run, wherever a zip file was unpacked. */
  name: string;
  student: string;
  /** ISO 8601, UTC. */
  submittedAt?: string;
  /** Known before it is read. */
  refused?: { problem: InputProblem; message: string };
}

export interface Inbox {
  items: HandedIn[];
  /** Removes what was unpacked. */
  close(): Promise<void>;
}

const MAX_DEPTH = 8;
const IGNORED = new Set(["node_modules", "__MACOSX"]);

/** Everything in these files and folders, in their order, each folder's by name. @throws InputError for a path that does not exist */
export async function openInbox(paths: readonly string[], limits: ZipLimits = ZIP_LIMITS): Promise<Inbox> {
  const scratch: string[] = [];
  const items: HandedIn[] = [];
  const close = async () => {
    for (const folder of scratch) await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const path of paths) {
      const info = await lstat(path).catch(() => undefined);
      if (info?.isDirectory()) items.push(...(await folderItems(path)));
      else if (/\.zip$/i.test(path)) {
        const folder = await mkdtemp(join(tmpdir(), "mlsys-inbox-"));
        scratch.push(folder);
        items.push(...(await zipItems(path, folder, limits)));
      } else items.push({ file: path, name: path, ...ownerOf([basename(path)]) });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { items, close };
}

async function zipItems(path: string, folder: string, limits: ZipLimits): Promise<HandedIn[]> {
  try {
    const refused = await unpack(path, folder, limits);
    // A folder is empty for a reason when what was to be in it was refused.
    const explained = (item: HandedIn) =>
      item.refused !== undefined && refused.some(({ name }) => `${path}/${name}`.startsWith(`${item.name}/`));
    return [
      ...(await folderItems(folder, path)).filter((item) => !explained(item)),
      ...refused.map(({ name, ...why }) => ({
        file: join(folder, "refused"),
        name: `${path}/${name}`,
        ...ownerOf(
          studentParts(name.split(/[\\/]/).filter((part) => part !== "" && part !== ".." && part !== ".")),
        ),
        refused: why,
      })),
    ];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const refused = { problem: error.problem, message: error.message };
    return [{ file: path, name: path, ...ownerOf([basename(path)]), refused }];
  }
}

/** @param shown the folder's name in reports */
async function folderItems(root: string, shown: string = root): Promise<HandedIn[]> {
  const items: HandedIn[] = [];
  const visit = async (folder: string, depth: number): Promise<number> => {
    let found = 0;
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      throw new InputError("unreadable", `${folder}: ${messageOf(error)}`);
    });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.name.startsWith(".") || IGNORED.has(entry.name)) continue;
      if (entry.isDirectory()) {
        if (depth < MAX_DEPTH) found += await visit(path, depth + 1);
      } else if (entry.name.endsWith(".ipynb")) {
        // A link is listed like a file, and refused when it is read.
        found++;
        const parts = relative(root, path).split(sep);
        items.push({
          file: path,
          name: join(shown, ...parts),
          ...ownerOf(studentParts(parts)),
          ...(await timeOf(dirname(path))),
        });
      }
    }
    // Whoever handed in a folder without a notebook is told so, instead of being left out.
    const parts = relative(root, folder)
      .split(sep)
      .filter((part) => part !== "");
    const person = studentParts(parts);
    if (found === 0 && person.length > 0 && depth <= 3) {
      items.push({
        file: folder,
        name: join(shown, ...parts),
        student: person[0],
        refused: { problem: "missing", message: `${join(shown, ...parts)}: the folder holds no notebook` },
      });
      return 1;
    }
    return found;
  };
  await visit(resolve(root), 0);
  return items;
}

/** Without nbgrader's own folder above the students'. */
function studentParts(parts: string[]): string[] {
  return parts[0] === "submitted" ? parts.slice(1) : parts;
}

// Canvas: name_[LATE_]user_submission_file; Moodle: Full Name_123_assignsubmission_file_
const CANVAS = /^[^_]+_(?:LATE_)?(\d+)_(\d+)_.+\.ipynb$/;
const MOODLE = /^(.+)_(\d+)_assignsubmission_file/;

function ownerOf(parts: string[]): { student: string } {
  const [first = ""] = parts;
  const canvas = parts.length === 1 ? CANVAS.exec(first) : null;
  if (canvas) return { student: canvas[1] };
  const moodle = MOODLE.exec(first);
  if (moodle) return { student: moodle[1] };
  return { student: parts.length === 1 ? first.replace(/\.ipynb$/, "") : first };
}

/** nbgrader's `timestamp.txt`: `2026-11-01 15:58:23.948203 UTC`, or ISO 8601. A file's own date says nothing. */
async function timeOf(folder: string): Promise<{ submittedAt?: string }> {
  const path = join(folder, "timestamp.txt");
  const info = await lstat(path).catch(() => undefined);
  if (!info?.isFile() || info.size > 200) return {};
  const time = parseTime(await readFile(path, "utf8").catch(() => ""));
  return time === undefined ? {} : { submittedAt: time };
}

/** @returns ISO 8601 in UTC; `undefined` for what is no time */
export function parseTime(text: string): string | undefined {
  const match = /^\s*(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)(\.\d+)?\s*(UTC|Z|[+-]\d\d:?\d\d)?\s*$/.exec(
    text,
  );
  if (!match) return undefined;
  const [, day, clock, fraction = "", zone = "Z"] = match;
  const offset = zone === "UTC" || zone === "Z" ? "Z" : zone.replace(/^([+-]\d\d):?(\d\d)$/, "$1:$2");
  const seconds = clock.length === 5 ? `${clock}:00` : clock;
  const date = new Date(`${day}T${seconds}${fraction.slice(0, 4)}${offset}`);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
