import { afterAll, beforeAll, expect, it } from "vitest";
import { startKernel, type TestKernel } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
});
afterAll(() => kernel.stop());

/** The traceback of a fresh kernel's error, with its cell number as N. */
const traceback = async (code: string) => {
  const { reply, outputs } = await kernel.client.execute(code);
  expect(reply.status).toBe("error");
  const published = outputs.filter(({ type }) => type === "error");
  expect(published).toHaveLength(1);
  expect(published[0]!.content).toMatchObject({
    ename: reply.ename,
    evalue: reply.evalue,
    traceback: reply.traceback,
  });
  const text = (reply.traceback as string[]).join("\n");
  return text
    .replaceAll(`Cell [${reply.execution_count}]`, "Cell [N]")
    .replaceAll(`cell:${reply.execution_count}`, "cell:N");
};

it("shows the reader's own TypeScript line, through the source map", async () => {
  expect(
    await traceback(`interface P { x: number }

function deep(p: P): number {
  const doubled: number = p.x * 2;
  if (doubled > 1) throw new RangeError("too large");
  return doubled;
}
deep({ x: 3 } as P);`),
  ).toMatchInlineSnapshot(`
    "RangeError: too large

    Cell [N], line 5:
      3 | function deep(p: P): number {
      4 |   const doubled: number = p.x * 2;
    > 5 |   if (doubled > 1) throw new RangeError("too large");
        |                          ^
      6 |   return doubled;
      7 | }

        at deep (cell:N:5:26)
        at cell:N:8:1"
  `);
});

it("shows plain JavaScript at its exact column, behind a rewritten class and an import", async () => {
  expect(
    await traceback(
      'import "node:os"; class A { static x = 1 } let y; null.field'.replace("null", "(null as any)"),
    ),
  ).toMatchInlineSnapshot(`
    "TypeError: Cannot read properties of null (reading 'field')

    Cell [N], line 1:
    > 1 | import "node:os"; class A { static x = 1 } let y; (null as any).field
        |                                                                 ^

        at cell:N:1:65"
  `);
});

it("keeps causes and the frames of earlier cells", async () => {
  await kernel.client.execute('function thrower(): never { throw new Error("inner") }');
  const text = await traceback(
    `try { thrower() } catch (error) { throw new Error("outer", { cause: error }) }`,
  );
  expect(text).toContain("Caused by:\nError: inner");
  expect(text).toMatch(/at thrower \(cell:\d+:1:\d+\)/);
  expect(text).not.toMatch(/node:inspector|kernel\/dist|evaluate\.js/);
});

it.each([
  ["throw 5", "Uncaught", "5"],
  ["throw 'text'", "Uncaught", "text"],
  ["throw { a: 1 }", "Uncaught", "{ a: 1 }"],
  ["throw null", "Uncaught", "null"],
  ["throw new (class Mine extends Error { override name = 'Mine' })('m')", "Mine", "m"],
  ["JSON.parse('{')", "SyntaxError", /JSON/],
  ["await Promise.reject(new TypeError('async'))", "TypeError", "async"],
  ["await Promise.any([Promise.reject(new Error('e1'))])", "AggregateError", /rejected/],
])("%s", async (code, ename, evalue) => {
  const { reply } = await kernel.client.execute(code);
  expect(reply).toMatchObject({ status: "error", ename });
  if (typeof evalue === "string") expect(reply.evalue).toBe(evalue);
  else expect(reply.evalue).toMatch(evalue);
});

it("survives errors that are hostile to being read", async () => {
  const { reply } = await kernel.client.execute(
    "throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('no') } })",
  );
  expect(reply.status).toBe("error");
  expect((await kernel.client.execute("1")).reply.status).toBe("ok");
});

it("points at a syntax error", async () => {
  expect(await traceback("const a = 1;\nlet b = ;\n")).toMatchInlineSnapshot(`
    "SyntaxError: Expression expected. (TS1109)
    Cell [N], line 2:9
      1 | const a = 1;
    > 2 | let b = ;
        |         ^
      3 |"
  `);
});

it("reports a rejection that nobody handles in the cell that made it", async () => {
  const { reply, outputs } = await kernel.client.execute(
    "void Promise.reject(new Error('unhandled')); await new Promise((resolve) => setTimeout(resolve, 20))",
  );
  expect(reply.status).toBe("ok");
  expect(outputs).toMatchObject([{ type: "error", content: { ename: "Error", evalue: "unhandled" } }]);
});
