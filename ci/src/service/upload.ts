/** The bytes of a submission out of a request, bounded: one file, of a size, so many at a time in memory. */
import type {} from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import type { Person } from "./people.js";
import { Refusal } from "./problems.js";
import type { Shelf } from "./shelf.js";

export interface Upload {
  bytes: Buffer;
  /** For show: never a path. */
  file: string;
  /** The chosen assignment, if one was. */
  assignment?: string;
}

const FIELD_BYTES = 1_000;

/** Either the form's file, or the one that it names on the learner's shelf. */
export async function readUpload(
  request: FastifyRequest,
  person: Person,
  shelf: Shelf | undefined,
  maxBytes: number,
): Promise<Upload> {
  const { fields, file: sent } = await readForm(request, maxBytes);
  const assignment = fields.get("assignment") || undefined;
  if (sent) return { ...sent, assignment };
  const picked = fields.get("pick");
  if (picked && shelf) return { bytes: await shelf.read(person.id, picked), file: shown(picked), assignment };
  throw new Refusal(400, "no-file", "Choose a notebook (.ipynb) first.");
}

/** A form's fields, and its file if there is one. @throws Refusal for what is no form */
export async function readForm(
  request: FastifyRequest,
  maxBytes: number,
): Promise<{ fields: ReadonlyMap<string, string>; file?: { bytes: Buffer; file: string } }> {
  if (!request.isMultipart())
    throw new Refusal(415, "not-a-form", "Send the notebook as a form with a file (multipart/form-data).");
  const limits = {
    files: 1,
    fields: 4,
    parts: 5,
    fileSize: maxBytes,
    fieldSize: FIELD_BYTES,
    headerPairs: 20,
  };
  const fields = new Map<string, string>();
  let sent: { bytes: Buffer; file: string } | undefined;
  for await (const part of request.parts({ limits })) {
    if (part.type === "file") {
      const bytes = await part.toBuffer();
      // A form whose file is left out sends a nameless, empty one.
      if (bytes.length > 0 || part.filename !== "") sent = { bytes, file: shown(part.filename) };
    } else fields.set(part.fieldname, String(part.value));
  }
  return { fields, file: sent };
}

/** The last part of a name, without what could steer a terminal, a page or a shell. */
export function shown(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? "";
  const clean = last.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").trim();
  return clean.slice(-100) || "notebook.ipynb";
}

/** So many at once; the others wait, with their bytes still in the network. */
export class Gate {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async through<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}

/** So many at once of each person; more are refused. */
export class Share {
  private readonly taken = new Map<string, number>();

  constructor(
    private readonly most: number,
    private readonly refusal: string,
  ) {}

  /** @returns what gives the place back. @throws Refusal */
  enter(person: string): () => void {
    const now = this.taken.get(person) ?? 0;
    if (now >= this.most) throw new Refusal(429, "too-many", this.refusal);
    this.taken.set(person, now + 1);
    return () => {
      const left = (this.taken.get(person) ?? 1) - 1;
      if (left > 0) this.taken.set(person, left);
      else this.taken.delete(person);
    };
  }

  async within<T>(person: string, work: () => Promise<T>): Promise<T> {
    const leave = this.enter(person);
    try {
      return await work();
    } finally {
      leave();
    }
  }
}
