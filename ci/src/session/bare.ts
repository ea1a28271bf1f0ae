/**
 * The kernel's worker alone in a box: one process instead of two, and no sockets. For cells that were found right, which
 * compile here, where the compiler is warm. What comes out of it is a learner's to forge, as everything from a box is.
 */
import { bareRun, encodeFrame, FrameReader, isPlain, type ToHost, workerCommand } from "@mlsys/kernel/bare";
import { FRAMES_MIME } from "../wire/carrier.js";
import { countParts, MAX_FRAME_CHARS } from "../wire/frames.js";
import { type BoxDone, type BoxRequest, KIND, type Kind, type Piece } from "../wire/pipe.js";
import { TEXT_LIMIT, type Tongue } from "./tongue.js";

export { isPlain };

/** The judge's frames stand as text in the worker's, where each quotation mark takes two characters. */
const MAX_BYTES = 2 * MAX_FRAME_CHARS;
/** Of a message, as many values as those for the judge have, and more. Others are not read. */
const MAX_PARTS = 2_000;
const MESSAGE_LIMIT = 2_000;
const TRACEBACK_LINES = 40;

/**
 * The worker's pipes where `BoxProcess` has the standard ones; what else it prints is not a message. The shell stays: the
 * first process of a namespace could not end itself by a signal.
 */
const PLUMBING = '"$@" 3<&0 4>&1 5</dev/null 0</dev/null 1>&2; exit';

type Message = ToHost | { type: "too-much" };

export class BareTongue implements Tongue {
  readonly argv = ["/bin/sh", "-c", PLUMBING, "sh", ...workerCommand()];
  private readonly reader = new FrameReader<{ message: Message; bytes: number }>(MAX_BYTES, read);
  private run: Extract<BoxRequest, { type: "run" }> = {
    type: "run",
    id: 0,
    code: "",
    outputBytes: Number.POSITIVE_INFINITY,
    outputMessages: Number.POSITIVE_INFINITY,
  };
  private bytes = 0;
  private messages = 0;
  private text = 0;

  say(request: BoxRequest): Buffer {
    if (request.type === "interrupt") return encodeFrame({ type: "interrupt", token: 0 });
    this.run = request;
    this.bytes = 0;
    this.messages = 0;
    this.text = 0;
    return encodeFrame(bareRun(request.id, `cell:${request.id}`, request.code));
  }

  hear(chunk: Buffer): Piece[] {
    return this.reader.push(chunk).flatMap(({ message }) => this.piece(message.message, message.bytes));
  }

  private piece(message: Message, bytes: number): Piece[] {
    if (message?.type === "ready") return [piece(KIND.ready, "")];
    if (message?.type === "done") return message.run === this.run.id ? [this.done(doneOf(message))] : [];
    const frames = message?.type === "display" ? message.data?.[FRAMES_MIME] : undefined;
    if (typeof frames === "string") return [piece(KIND.frames, frames)];
    this.bytes += bytes;
    const { outputBytes, outputMessages } = this.run;
    if (this.bytes > outputBytes || ++this.messages > outputMessages) {
      const what = this.bytes > outputBytes ? `${outputBytes} bytes` : `${outputMessages} messages`;
      return [this.done({ status: "limit", name: "", message: `wrote more than ${what}`, traceback: [] })];
    }
    if (message?.type !== "stream" || this.text >= TEXT_LIMIT) return [];
    const part = String(message.text).slice(0, TEXT_LIMIT - this.text);
    this.text += part.length;
    return [piece(KIND.text, part)];
  }

  private done(answer: Omit<BoxDone, "id">): Piece {
    return piece(KIND.done, JSON.stringify({ id: this.run.id, ...answer }));
  }
}

function read(json: string): { message: Message; bytes: number } {
  const message: Message =
    countParts(json, MAX_PARTS) >= MAX_PARTS ? { type: "too-much" } : (JSON.parse(json) as ToHost);
  return { message, bytes: json.length };
}

function doneOf({ error }: Extract<ToHost, { type: "done" }>): Omit<BoxDone, "id"> {
  if (!error) return { status: "ok", name: "", message: "", traceback: [] };
  const lines = Array.isArray(error.traceback) ? error.traceback.slice(0, TRACEBACK_LINES) : [];
  return {
    status: "error",
    name: short(error.ename),
    message: short(error.evalue),
    traceback: lines.map(short),
  };
}

function piece(kind: Kind, text: string): Piece {
  return { kind, body: Buffer.from(text) };
}

function short(value: unknown): string {
  return String(value ?? "").slice(0, MESSAGE_LIMIT);
}
