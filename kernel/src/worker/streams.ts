/**
 * stdout and stderr of the reader's code: text is gathered and sent in pieces, at the latest after 10 ms,
 * at 64 KiB, and before anything else that the cell shows. Where a computation keeps the timer from firing, the host asks
 * for what is held soon after the piece before.
 */
import { Console } from "node:console";
import { Writable } from "node:stream";
import { isSending, send } from "./link.js";
import { currentRun } from "./runs.js";

export type StreamName = "stdout" | "stderr";

const FLUSH_AFTER_MS = 10;
const FLUSH_AT = 64 * 1024;

let run = 0;
let stream: StreamName = "stdout";
let text = "";
let flushed = 0;
let timer: NodeJS.Timeout | undefined;
const startTimer = setTimeout;

export function write(name: StreamName, chunk: string): void {
  const owner = currentRun();
  if (name !== stream || owner !== run) {
    flush();
    stream = name;
    run = owner;
  }
  text += chunk;
  // After a pause the first piece goes at once: a computation that follows may keep the timer from firing.
  if (text.length >= FLUSH_AT || performance.now() - flushed > FLUSH_AFTER_MS) flush();
  else timer ??= startTimer(flush, FLUSH_AFTER_MS);
}

export function flush(): void {
  if (timer) clearTimeout(timer);
  timer = undefined;
  sendPiece();
}

function sendPiece(allocate?: (size: number) => Buffer): void {
  if (text === "") return;
  flushed = performance.now();
  const piece = text;
  text = "";
  send({ type: "stream", run, name: stream, text: piece }, [], allocate);
}

/**
 * Called by the host through the inspector, in the midst of whatever runs: in Node's own timers too, so the timer is left
 * alone.
 */
export function flushHeld(): void {
  if (!isSending()) sendPiece(Buffer.allocUnsafeSlow);
}

class CellStream extends Writable {
  readonly isTTY = false;
  readonly columns = 100;
  readonly fd: number;

  constructor(private readonly stream: StreamName) {
    super({ decodeStrings: false });
    this.fd = stream === "stdout" ? 1 : 2;
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array))
      throw new TypeError(
        `process.${this.stream}.write: expected a string or Uint8Array, found ${typeof chunk}`,
      );
    const charset = typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8";
    const piece = typeof chunk === "string" ? Buffer.from(chunk, charset) : Buffer.from(chunk);
    write(this.stream, charset === "utf8" && typeof chunk === "string" ? chunk : piece.toString("utf8"));
    const done = typeof encoding === "function" ? encoding : callback;
    if (typeof done === "function") process.nextTick(done as () => void);
    return true;
  }

  override _write(_chunk: unknown, _encoding: string, callback: () => void): void {
    callback();
  }
}

/** Puts `process.stdout`, `process.stderr` and `console` on the front end's streams. */
export function installStreams(): void {
  const stdout = new CellStream("stdout");
  const stderr = new CellStream("stderr");
  Object.defineProperty(process, "stdout", { value: stdout, configurable: true, enumerable: true });
  Object.defineProperty(process, "stderr", { value: stderr, configurable: true, enumerable: true });
  const console = new Console({ stdout, stderr, colorMode: false });
  Object.defineProperty(globalThis, "console", { value: console, writable: true, configurable: true });
}
