/**
 * The notebook file: reading (with every way in which a handed-in file can be wrong), and writing it the way
 * that nbformat does, so that a regenerated file differs only where its content does.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { z } from "zod";
import { InputError, messageOf } from "../errors.js";

export type CellType = "code" | "markdown" | "raw";
export type Metadata = Record<string, unknown>;

export interface Cell {
  type: CellType;
  id?: string;
  /** Joined lines. */
  source: string;
  metadata: Metadata;
  /** Outputs of a code cell, as stored. */
  outputs: unknown[];
  executionCount: number | null;
  /** Files embedded in a markdown cell, as stored. */
  attachments?: Metadata;
}

export interface Notebook {
  cells: Cell[];
  metadata: Metadata;
  nbformatMinor: number;
}

/** Larger files are refused unread. */
export const MAX_NOTEBOOK_BYTES = 32 * 1024 * 1024;

const lines = z.union([z.string(), z.array(z.string()).transform((parts) => parts.join(""))]);
const record = z.record(z.string(), z.unknown());
const cellSchema = z.object({
  cell_type: z.enum(["code", "markdown", "raw"]),
  id: z.string().max(64).optional(),
  source: lines,
  metadata: record,
  outputs: z.array(z.unknown()).optional(),
  execution_count: z.number().int().nullable().optional(),
  attachments: record.optional(),
});
const notebookSchema = z.object({
  nbformat: z.literal(4),
  nbformat_minor: z.number().int().nonnegative(),
  metadata: record,
  cells: z.array(cellSchema).max(10_000),
});

/** @throws InputError that names the file and says what is wrong with it. */
export async function readNotebook(path: string, maxBytes: number = MAX_NOTEBOOK_BYTES): Promise<Notebook> {
  const bytes = await readRegularFile(path, maxBytes);
  if (bytes.length === 0) throw new InputError("empty", `${path}: the file is empty (0 bytes)`);
  return parseNotebook(bytes.toString("utf8"), path);
}

/**
 * The bytes of a file that somebody handed in. What is opened is what is looked at, so that it can't be swapped
 * in between: a link could lead to another learner's file, a pipe or a device would never end.
 * @throws InputError
 */
export async function readRegularFile(path: string, maxBytes: number = MAX_NOTEBOOK_BYTES): Promise<Buffer> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new InputError("missing", `${path}: there is no such file`);
    if (error.code === "ELOOP" || error.code === "ENXIO") throw notRegular(path);
    throw new InputError("unreadable", `${path}: ${error.message}`);
  });
  try {
    const info = await file.stat();
    if (!info.isFile()) throw notRegular(path);
    if (info.size > maxBytes) {
      throw new InputError(
        "too-large",
        `${path}: ${megabytes(info.size)} is more than the limit of ${megabytes(maxBytes)}; clear the outputs and save again`,
      );
    }
    const bytes = Buffer.alloc(info.size);
    const { bytesRead } = await file.read(bytes, 0, info.size, 0);
    return bytes.subarray(0, bytesRead);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError("unreadable", `${path}: ${messageOf(error)}`);
  } finally {
    await file.close();
  }
}

function notRegular(path: string): InputError {
  return new InputError("unreadable", `${path}: is not a regular file (links and folders are not read)`);
}

/**
 * @param where names the file in messages.
 * @throws InputError if `text` is not a notebook of format 4.
 */
export function parseNotebook(text: string, where: string): Notebook {
  if (text.trim() === "") throw new InputError("empty", `${where}: the file is empty`);
  let json: unknown;
  try {
    // Some editors put a byte order mark before the text.
    json = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new InputError(
      "not-json",
      `${where}: is not JSON, so not a notebook (${messageOf(error).slice(0, 200)})`,
    );
  }
  const version = (json as { nbformat?: unknown } | null)?.nbformat;
  if (typeof version === "number" && version !== 4) {
    throw new InputError(
      "not-a-notebook",
      `${where}: notebook format ${version}; expected 4: open it in JupyterLab and save it again`,
    );
  }
  const parsed = notebookSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const at = issue.path.length > 0 ? ` at ${issue.path.join(".")}` : "";
    throw new InputError(
      "not-a-notebook",
      `${where}: is not a Jupyter notebook${at}: ${issue.message.slice(0, 200)}`,
    );
  }
  const { cells, metadata, nbformat_minor } = parsed.data;
  return {
    metadata,
    nbformatMinor: nbformat_minor,
    cells: cells.map((cell) => ({
      type: cell.cell_type,
      ...(cell.id === undefined ? {} : { id: cell.id }),
      source: cell.source,
      metadata: cell.metadata,
      outputs: cell.outputs ?? [],
      executionCount: cell.execution_count ?? null,
      ...(cell.attachments === undefined ? {} : { attachments: cell.attachments }),
    })),
  };
}

/** nbformat's own text: keys sorted, indented by one space, sources as lists of lines, newline at the end. */
export function formatNotebook(notebook: Notebook): string {
  const cells = notebook.cells.map((cell) => ({
    ...(cell.attachments === undefined ? {} : { attachments: cell.attachments }),
    cell_type: cell.type,
    ...(cell.type === "code" ? { execution_count: cell.executionCount, outputs: cell.outputs } : {}),
    ...(cell.id === undefined ? {} : { id: cell.id }),
    metadata: cell.metadata,
    source: splitLines(cell.source),
  }));
  const file = { cells, metadata: notebook.metadata, nbformat: 4, nbformat_minor: notebook.nbformatMinor };
  return `${JSON.stringify(sortKeys(file), null, 1)}\n`;
}

/** A deep copy that can be changed freely. */
export function copyNotebook(notebook: Notebook): Notebook {
  return structuredClone(notebook);
}

function splitLines(source: string): string[] {
  return source === "" ? [] : source.split(/(?<=\n)/);
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sortKeys(item)]),
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
