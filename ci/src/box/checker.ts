/**
 * The type checker's program in its box: reads cells from standard input and says what the kernel would refuse. It runs
 * none of them.
 */
import { writeSync } from "node:fs";
import { CellChecker } from "@mlsys/kernel/checker";
import { type CheckReply, type CheckRequest, KIND, MAX_COMMAND, PipeReader, pack } from "../wire/pipe.js";

const checker = new CellChecker(process.cwd(), { written: true, log: (line) => console.error(line) });
// Reads the libraries' types, which is most of the work.
let turn: Promise<void> = checker
  .take('import "@mlsys/grader/kit"; export const warm: number[] = [1].map((x) => x + 1);')
  .then(() => {
    checker.reset();
    writeSync(1, pack(KIND.ready, ""));
  });
const reader = new PipeReader({ [KIND.command]: MAX_COMMAND });
process.stdin.on("end", () => process.exit(0)).on("error", () => process.exit(0));
process.stdin.on("data", (chunk: Buffer) => {
  for (const { body } of reader.push(chunk)) {
    const request = JSON.parse(body.toString("utf8")) as CheckRequest;
    turn = turn.then(() => answer(request));
  }
});

async function answer(request: CheckRequest): Promise<void> {
  if (request.type === "reset") return checker.reset();
  if (request.type === "check-all") {
    const reply: CheckReply = { id: request.id, all: await checker.takeAll(request.codes) };
    writeSync(1, pack(KIND.done, JSON.stringify(reply)));
    return;
  }
  const { error, unknown } = await checker.take(request.code);
  const reply: CheckReply = {
    id: request.id,
    ...(unknown ? { unknown } : {}),
    ...(error ? { name: error.ename.slice(0, 100), message: error.evalue.slice(0, 2_000) } : {}),
  };
  writeSync(1, pack(KIND.done, JSON.stringify(reply)));
}
