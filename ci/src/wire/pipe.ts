/**
 * The pipe between the judge and a box: `u32 length | u8 kind | bytes`. The reader holds at most one piece of limited
 * length in memory, and stops for good at the first that is too long: whoever is at the other end may send anything.
 */

/** To the box: commands. From it: everything else. */
export const KIND = { command: 1, ready: 2, frames: 3, text: 4, done: 5 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

export interface Piece {
  kind: number;
  body: Buffer;
}

export type BoxRequest =
  | { type: "run"; id: number; code: string; outputBytes: number; outputMessages: number }
  | { type: "interrupt" };

/** To the type checker's box. */
export type CheckRequest =
  | { type: "check"; id: number; code: string }
  /** A whole session at once. */
  | { type: "check-all"; id: number; codes: string[] }
  | { type: "reset" };

export interface CheckReply {
  id: number;
  /** The error, if there is one. */
  name?: string;
  message?: string;
  /** All of a session's cells are right. */
  all?: boolean;
  /** Only the kernel itself can tell. */
  unknown?: boolean;
}

/** Bytes of a command. */
export const MAX_COMMAND = 256 * 1024 * 1024;

/** How a run ended, as the box tells it. */
export interface BoxDone {
  id: number;
  status: string;
  name: string;
  message: string;
  traceback: string[];
}

/** The other end sent what no honest one sends. */
export class PipeError extends Error {
  override readonly name = "PipeError";
}

const HEADER = 5;

export function pack(kind: Kind, body: string | Uint8Array): Buffer {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const piece = Buffer.allocUnsafe(HEADER + bytes.byteLength);
  piece.writeUInt32LE(bytes.byteLength, 0);
  piece.writeUInt8(kind, 4);
  piece.set(bytes, HEADER);
  return piece;
}

export class PipeReader {
  private chunks: Buffer[] = [];
  private size = 0;

  /** @param maxBytes of a piece, by kind; a kind without a limit is refused */
  constructor(private readonly maxBytes: Readonly<Record<number, number>>) {}

  /** @throws PipeError */
  push(chunk: Buffer): Piece[] {
    this.chunks.push(chunk);
    this.size += chunk.length;
    const pieces: Piece[] = [];
    while (this.size >= HEADER) {
      if (this.chunks[0].length < HEADER) this.chunks = [Buffer.concat(this.chunks)];
      const length = this.chunks[0].readUInt32LE(0);
      const kind = this.chunks[0].readUInt8(4);
      const most = this.maxBytes[kind];
      if (most === undefined) throw new PipeError(`a message of an unknown kind (${kind})`);
      if (length > most) throw new PipeError(`a message of ${length} bytes; the limit is ${most}`);
      if (this.size < HEADER + length) break;
      const all = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
      pieces.push({ kind, body: all.subarray(HEADER, HEADER + length) });
      const rest = all.subarray(HEADER + length);
      this.chunks = rest.length > 0 ? [rest] : [];
      this.size = rest.length;
    }
    return pieces;
  }
}
