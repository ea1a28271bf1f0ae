/**
 * The first program in a box: starts the kernel there and carries cells to it and its answers back, over standard
 * input and output. The box needs no socket, file or network of the outside. The judge believes nothing of what
 * comes out: whoever takes this process over can only answer for the learner.
 */
import { rmSync, writeSync } from "node:fs";
import { KernelClient, type KernelOutput, makeConnection } from "@mlsys/kernel/client";
import { kernelSpec } from "@mlsys/kernel/spec";
import { FRAMES_MIME } from "../wire/carrier.js";
import {
  type BoxDone,
  type BoxRequest,
  KIND,
  type Kind,
  MAX_COMMAND,
  PipeReader,
  pack,
} from "../wire/pipe.js";

const pause = new Int32Array(new SharedArrayBuffer(4));
const START_MS = 60_000;
const TEXT_LIMIT = 20_000;
const MESSAGE_LIMIT = 2_000;

// The kernel's host runs in this process: another one would take as long to start as the cells of most submissions.
const { connection, connectionFile } = await makeConnection("ipc");
process.argv[2] = connectionFile;
Object.assign(process.env, kernelSpec().env);
await import("@mlsys/kernel/host");
process.stdin.on("end", () => leave(0)).on("error", () => leave(0));
const client = await KernelClient.connect(connection, START_MS);
rmSync(connectionFile, { force: true });

const reader = new PipeReader({ [KIND.command]: MAX_COMMAND });
process.stdin.on("data", (chunk: Buffer) => {
  for (const { body } of reader.push(chunk)) {
    const request = JSON.parse(body.toString("utf8")) as BoxRequest;
    if (request.type === "interrupt") void client.interrupt().catch(() => {});
    else void run(request);
  }
});
tell(KIND.ready, "");

async function run({
  id,
  code,
  outputBytes,
  outputMessages,
}: Extract<BoxRequest, { type: "run" }>): Promise<void> {
  let bytes = 0;
  let messages = 0;
  let text = 0;
  const done = (answer: Omit<BoxDone, "id">) => tell(KIND.done, JSON.stringify({ id, ...answer }));
  const hear = ({ type, content }: KernelOutput) => {
    const frames = type === "display_data" ? framesOf(content) : undefined;
    if (frames !== undefined) return tell(KIND.frames, frames);
    bytes += typeof content.text === "string" ? content.text.length : JSON.stringify(content).length;
    if (bytes > outputBytes || ++messages > outputMessages) {
      const what = bytes > outputBytes ? `${outputBytes} bytes` : `${outputMessages} messages`;
      done({ status: "limit", name: "", message: `wrote more than ${what}`, traceback: [] });
      return leave(1);
    }
    if (type === "stream" && text < TEXT_LIMIT) {
      const part = String(content.text).slice(0, TEXT_LIMIT - text);
      text += part.length;
      tell(KIND.text, part);
    }
  };
  try {
    const { reply } = await client.execute(code, { storeHistory: false, stopOnError: false, onOutput: hear });
    const { status, ename, evalue, traceback } = reply;
    const lines = Array.isArray(traceback) ? traceback.map((line) => short(line)) : [];
    done({
      status: short(status),
      name: short(ename),
      message: short(evalue),
      traceback: lines.slice(0, 40),
    });
  } catch (error) {
    done({
      status: "error",
      name: "KernelWorkerExit",
      message: short((error as Error).message),
      traceback: [],
    });
  }
}

function framesOf(content: KernelOutput["content"]): string | undefined {
  const frames = (content.data as Record<string, unknown> | undefined)?.[FRAMES_MIME];
  return typeof frames === "string" ? frames : undefined;
}

function short(value: unknown): string {
  return String(value ?? "").slice(0, MESSAGE_LIMIT);
}

/** Waits until the judge has taken it: a flood fills the pipe, not the memory. */
function tell(kind: Kind, body: string): void {
  const bytes = pack(kind, body);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") leave(1);
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

/** What the kernel started ends with the box. */
function leave(code: number): never {
  process.exit(code);
}
