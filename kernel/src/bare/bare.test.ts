/** A worker without a kernel: what it runs, and what needs the kernel. */
import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { afterEach, expect, it } from "vitest";
import { bareRun, encodeFrame, FrameReader, isPlain, type ToHost } from "./index.js";

it.each([
  ["const x = 1; x + 1", true],
  ["await Promise.resolve(2)", true],
  ['import { readFileSync } from "node:fs";\nreadFileSync.name', true],
  ["", true],
  ["const x: number = 1;", false],
  ["enum Colour { Red }", false],
  ["f<number>(1)", false],
  ["const fetch = 1;", false],
  ["const = ;", false],
  ["%time", false],
])("%j is plain: %j", (code, plain) => {
  expect(isPlain(code)).toBe(plain);
  if (plain) expect(bareRun(7, "cell:7", code)).toMatchObject({ run: 7, name: "cell:7", allowStdin: false });
  else expect(() => bareRun(7, "cell:7", code)).toThrow(/cell:7 needs a kernel/);
});

let child: ReturnType<typeof spawn> | undefined;
afterEach(() => {
  child?.kill("SIGKILL");
});

it("runs cells that see each other's names, one after the other", async () => {
  const { workerCommand } = await import("../../dist/bare/index.js");
  const [program, ...args] = workerCommand() as [string, ...string[]];
  child = spawn(program, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe", "pipe"] });
  const [, , , to, from] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const reader = new FrameReader<ToHost>();
  const heard: ToHost[] = [];
  let wake = () => {};
  from.on("data", (chunk: Buffer) => {
    heard.push(...reader.push(chunk).map(({ message }) => message));
    wake();
  });
  const until = async (is: (message: ToHost) => boolean) => {
    while (!heard.some(is))
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  await until(({ type }) => type === "ready");
  for (const [run, code] of [
    "const six = 6;",
    "console.log(six * 7);",
    "throw new RangeError('no');",
  ].entries()) {
    to.write(encodeFrame(bareRun(run, `cell:${run}`, code)));
    await until((message) => message.type === "done" && message.run === run);
  }
  expect(heard.filter(({ type }) => type === "stream")).toEqual([
    { type: "stream", run: 1, name: "stdout", text: "42\n" },
  ]);
  const ends = heard.filter((message) => message.type === "done");
  expect(ends.map(({ error }) => error?.ename)).toEqual([undefined, undefined, "RangeError"]);
}, 60_000);
