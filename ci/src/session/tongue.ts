/** What a box's program is, and how it is spoken to: cells in, and out of it the pieces that a session understands. */
import { fileURLToPath } from "node:url";
import { MAX_FRAME_CHARS } from "../wire/frames.js";
import { type BoxRequest, KIND, type Piece, PipeReader, pack } from "../wire/pipe.js";

export interface Tongue {
  /** The program. */
  readonly argv: readonly string[];
  /** Bytes for it. @throws Error for what it does not understand */
  say(request: BoxRequest): Buffer;
  /** Bytes from it. @throws Error for what no honest program sends */
  hear(chunk: Buffer): Piece[];
}

export const TEXT_LIMIT = 20_000;

/** UTF-8 takes up to three bytes for a character, but the frames' own text is ASCII nearly always. */
const PIECES = {
  [KIND.ready]: 0,
  [KIND.frames]: MAX_FRAME_CHARS,
  [KIND.text]: 4 * TEXT_LIMIT,
  [KIND.done]: 1024 * 1024,
};

// The box runs what is built, also when the judge itself runs from its sources (in tests).
const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../dist/box/main.js" : "../box/main.js", import.meta.url),
);

/** The whole kernel, with all that a cell may want of it. */
export class KernelTongue implements Tongue {
  readonly argv = [process.execPath, MAIN];
  private readonly reader = new PipeReader(PIECES);

  say(request: BoxRequest): Buffer {
    return pack(KIND.command, JSON.stringify(request));
  }

  hear(chunk: Buffer): Piece[] {
    return this.reader.push(chunk);
  }
}
