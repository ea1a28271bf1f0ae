import { expect, it } from "vitest";
import { MagicError, readCell } from "./magics.js";

const read = (source: string, ...known: string[]) => readCell(source, (name) => known.includes(name));

it("leaves a cell without magics as it is", async () => {
  expect(await read("const a = 5 % 2;\n!a", "a")).toEqual({
    text: "const a = 5 % 2;\n!a",
    code: "const a = 5 % 2;\n!a",
    inserted: [],
    host: [],
  });
});

it.each([
  ["a template", "const t = `\n%who\n!ls\n`;"],
  ["a comment", "/*\n%who\n!ls -l\n*/"],
  ["an operand that goes on", "let x = 7\n%who", "who"],
  ["an argument list", "f(\n!ls\n)"],
  ["not, of a known name", "!ready", "ready"],
  ["not, of a name of the same cell", "const ready = true;\n!ready"],
  ["not, of a regular expression", "!/a/.test(s)"],
  ["not, of an expression in brackets", "!(a && b)\n!!a\n![]"],
])("is TypeScript: %s", async (_, source, ...known) => {
  expect((await read(source, ...known)).text).toBe(source);
});

it.each([
  ["%who", "    "],
  ["// words\n\n%who", "// words\n\n    "],
  ["let x = 7\n%who", "let x = 7\n    "],
  ["let x = 7;\n%who", "let x = 7;\n    ", "who"],
  ["function f() {}\n%who\nf()", "function f() {}\n    \nf()", "who"],
  ["!ls", "   "],
  ["!./run.sh --fast\n1", "                \n1"],
  ["!git status", "           "],
  ["%time f(1)", "      f(1)"],
  ["%timeit -n 3 f(1)", "{            f(1) }"],
  ["%%timeit -n 3\nlet y = 1;", "{            \nlet y = 1;\n}"],
  ["%%time\nf(1)", "      \nf(1)"],
  ["%%bash\necho `unclosed", "      "],
  ["%%js\nf(1)", "    \nf(1)"],
])("%j is checked as %j", async (source, text, ...known) => {
  const found = await read(source, ...known);
  expect(found.text).toBe(text);
  if (!source.startsWith("%%bash"))
    expect(found.code.split("\n").length).toBeGreaterThanOrEqual(source.split("\n").length);
});

it.each([
  ["%whi", /no magic %whi\. Did you mean %who\?/],
  ["%nothinglikeit", /no magic %nothinglikeit\. %help/],
  ["%bash", /write %%bash/],
  ["%%who", /write %who/],
  ["1;\n%%bash\nls", /must be the first line/],
  ["%%bash", /no body/],
  ["%time", /no body/],
  ["%time f(\n1)", /one whole statement/],
  ["1;\n%time", /takes code/],
  ["%%time f()\n1", /takes no code on its own line/],
])("%j is an error", async (source, message) => {
  await expect(read(source)).rejects.toThrow(MagicError);
  await expect(read(source)).rejects.toThrow(message);
});

it("tells the columns of the code behind a magic", async () => {
  const { code, inserted } = await read("1;\n%time f(1);\n2");
  const line = code.split("\n")[1]!;
  expect(inserted).toEqual([{ line: 1, column: line.indexOf("f(1)"), shift: line.indexOf("f(1)") - 6 }]);
});
