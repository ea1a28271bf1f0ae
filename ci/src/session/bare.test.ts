/** What comes out of a box whose program is the kernel's worker: bounded, and never believed. */
import { encodeFrame } from "@mlsys/kernel/bare";
import { beforeEach, describe, expect, it } from "vitest";
import { FRAMES_MIME } from "../wire/carrier.js";
import { MAX_FRAME_CHARS } from "../wire/frames.js";
import { KIND } from "../wire/pipe.js";
import { BareTongue } from "./bare.js";
import { TEXT_LIMIT } from "./tongue.js";

const RUN = { type: "run", id: 3, code: "1 + 1", outputBytes: 100_000, outputMessages: 50 } as const;

let tongue: BareTongue;
beforeEach(() => {
  tongue = new BareTongue();
  tongue.say(RUN);
});

/** The pieces of a message, as kind and text. */
const hear = (message: unknown) =>
  tongue.hear(encodeFrame(message)).map(({ kind, body }) => [kind, body.toString("utf8")]);
const done = (answer: object) => [[KIND.done, JSON.stringify({ id: 3, ...answer })]];
const stream = (text: string) => ({ type: "stream", run: 3, name: "stdout", text });

it("says when it is ready, what is for the judge, what was printed, and how a cell ended", () => {
  expect(hear({ type: "ready", inspector: null })).toEqual([[KIND.ready, ""]]);
  expect(hear({ type: "display", run: 3, data: { [FRAMES_MIME]: "[1]" } })).toEqual([[KIND.frames, "[1]"]]);
  expect(hear(stream("hello"))).toEqual([[KIND.text, "hello"]]);
  expect(hear({ type: "done", run: 3, expressions: {} })).toEqual(
    done({ status: "ok", name: "", message: "", traceback: [] }),
  );
  const error = { ename: "TypeError", evalue: "x is no function", traceback: ["line 1"] };
  expect(hear({ type: "done", run: 3, error })).toEqual(
    done({ status: "error", name: "TypeError", message: "x is no function", traceback: ["line 1"] }),
  );
});

it("does not take the end of another cell for this one's", () => {
  expect(hear({ type: "done", run: 2 })).toEqual([]);
  expect(hear({ type: "done" })).toEqual([]);
});

it("cuts what is long", () => {
  const long = "x".repeat(TEXT_LIMIT);
  expect(hear(stream(long))).toEqual([[KIND.text, long]]);
  expect(hear(stream("more"))).toEqual([]);
  const error = { ename: long, evalue: long, traceback: Array.from({ length: 100 }, () => long) };
  const [[, text]] = hear({ type: "done", run: 3, error });
  expect(String(text).length).toBeLessThan(100_000);
  expect(JSON.parse(String(text)).traceback).toHaveLength(40);
});

describe("a flood", () => {
  it("of messages ends the cell", () => {
    for (let i = 0; i < 50; i++) expect(hear({ type: "clear", run: 3 })).toEqual([]);
    expect(hear({ type: "clear", run: 3 })).toEqual(
      done({ status: "limit", name: "", message: "wrote more than 50 messages", traceback: [] }),
    );
  });

  it("of bytes ends the cell; the next one begins anew", () => {
    const half = stream("x".repeat(60_000));
    hear(half);
    expect(hear(half)).toEqual(
      done({ status: "limit", name: "", message: "wrote more than 100000 bytes", traceback: [] }),
    );
    tongue.say({ ...RUN, id: 4 });
    expect(hear(stream("x"))).toEqual([[KIND.text, "x"]]);
  });

  it("of values is counted and not read", () => {
    const many = { type: "display", run: 3, data: { [FRAMES_MIME]: "[]", values: Array(5_000).fill([]) } };
    expect(hear(many)).toEqual([]);
  });

  it("in one message is refused before it has come", () => {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(2 * MAX_FRAME_CHARS + 1, 0);
    expect(() => tongue.hear(head)).toThrow(/frame of \d+ bytes/);
  });
});

it.each([
  null,
  7,
  "text",
  [],
  {},
  { type: 5 },
  { type: "display" },
  { type: "display", data: null },
  { type: "stream" },
])("makes nothing of %j", (message) => {
  expect(hear(message).filter(([kind]) => kind !== KIND.text)).toEqual([]);
});

it("refuses what is no frame", () => {
  const frame = encodeFrame({ type: "ready" });
  frame[8] = 0x21;
  expect(() => tongue.hear(frame)).toThrow(SyntaxError);
});

it("takes a message that comes byte by byte", () => {
  const pieces = [...encodeFrame(stream("slow"))].flatMap((byte) => tongue.hear(Buffer.from([byte])));
  expect(pieces.map(({ body }) => body.toString())).toEqual(["slow"]);
});
