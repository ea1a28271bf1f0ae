/** The debugger over the Jupyter protocol: breakpoints, steps, frames. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { DapClient } from "./dap.js";
import { text } from "./kernel.js";

let dap: DapClient;
beforeAll(async () => {
  dap = await DapClient.start();
});
afterAll(() => dap?.kernel.stop());

const CELL = `function double(a: number): number {
  const b = a * 2;
  return b;
}
let x = double(1);
let y = double(x);
x + y`;

describe("breakpoints in cells", () => {
  it("stops where a breakpoint was set before the cell ran, and goes on", async () => {
    expect(await dap.breakAt(CELL, 5)).toMatchObject([{ verified: true, line: 5 }]);
    const done = dap.run(CELL);
    expect(await dap.stopped()).toMatchObject({ reason: "breakpoint", threadId: 1, allThreadsStopped: true });
    expect(await dap.where()).toEqual(["<cell>:5"]);
    await dap.continue();
    await dap.next("continued");
    expect(text(await done)).toBe("6");
  });
});
