import vm from "node:vm";
import { expect, it, vi } from "vitest";
import { flush, soon } from "./turn.js";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("runs tasks in order, each once, none at once, and those added meanwhile after the others", async () => {
  const done: string[] = [];
  const task = (name: string, then = (): void => {}) => ({
    run() {
      done.push(name);
      then();
    },
  });
  soon(task("a", () => soon(task("d"))));
  soon(task("b"));
  soon(task("c"));
  expect(done).toEqual([]);
  await settled();
  expect(done).toEqual(["a", "b", "c", "d"]);
});

it("goes on behind a task whose execution was terminated, as a notebook's interrupt does", async () => {
  const done: string[] = [];
  soon({
    run() {
      for (;;);
    },
  });
  soon({ run: () => done.push("behind") });
  vi.stubGlobal("flushTurn", flush);
  expect(() => vm.runInThisContext("flushTurn()", { timeout: 20 })).toThrow(/timed out/);
  vi.unstubAllGlobals();
  soon({ run: () => done.push("new") });
  await settled();
  expect(done).toEqual(["behind", "new"]);
});
