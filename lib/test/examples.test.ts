/**
 * The examples of the API reference: every public function has one, each compiles, runs, and gives what is written behind
 * its `//`. (Values to four digits; `float32(2, 3)` stands for a tensor of that type.)
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as mlsys from "../src/index.js";
import { library } from "./support/built-library.js";

const ENTRY = fileURLToPath(new URL("../src/index.ts", import.meta.url));
const EXAMPLES = fileURLToPath(new URL("./all-examples.ts", import.meta.url)); // exists for the compiler only

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2024.d.ts", "lib.esnext.disposable.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ["node"],
};

interface Example {
  readonly name: string;
  /** Namespaces in which the function lies, outermost first. */
  readonly path: readonly string[];
  readonly code: string;
  readonly result: string | null;
}

interface PublicName {
  readonly name: string;
  readonly isFunction: boolean;
  readonly examples: readonly Example[];
}

/** What index.ts exports, with the namespaces below it. */
function publicNames(program: ts.Program): PublicName[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(ENTRY);
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) throw new Error(`${ENTRY} was not read`);
  const visit = (symbol: ts.Symbol, path: readonly string[]): PublicName[] =>
    checker.getExportsOfModule(symbol).flatMap((exported) => {
      const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (target.flags & ts.SymbolFlags.ValueModule) return visit(target, [...path, exported.name]);
      if (!target.valueDeclaration) return [];
      const name = [...path, exported.name].join(".");
      const isFunction = checker.getTypeOfSymbol(target).getCallSignatures().length > 0;
      const tags = target.getJsDocTags(checker).filter((tag) => tag.name === "example");
      return [{ name, isFunction, examples: tags.map((tag) => exampleOf(name, path, tag)) }];
    });
  return visit(module, []);
}

function exampleOf(name: string, path: readonly string[], tag: ts.JSDocTagInfo): Example {
  const text = ts
    .displayPartsToString(tag.text)
    .replaceAll(/^```(ts)?$/gm, "")
    .trim();
  const [, code, result] = /^(.*?)(?:\s\/\/ ([^\n]*))?$/s.exec(text) as RegExpExecArray;
  return { name, path, code, result: result ?? null };
}

/** Names that stand free in an example: those of index.ts, and those beside the function in its own namespaces. */
function scopeOf(path: readonly string[], of: object): Record<string, unknown> {
  const scope: Record<string, unknown> = { ...of };
  let inner: unknown = of;
  for (const part of path) {
    inner = (inner as Record<string, unknown>)[part];
    Object.assign(scope, inner);
  }
  return scope;
}

/** Ranks that examples share, by their number: to start threads for each takes longer than the example. */
const teams = new Map<number, ReturnType<typeof library.distributed.team>>();
const onRanks = async (
  size: number,
  f: (group: mlsys.distributed.ProcessGroup) => unknown,
): Promise<unknown> => {
  const team = teams.get(size) ?? library.distributed.team(size);
  teams.set(size, team);
  return (await team).run(f);
};

/** Runs it. @returns the value of an expression that is its last statement */
async function evaluate({ code: written, path }: Example): Promise<unknown> {
  const code = written.replaceAll(/\bdistributed\.launch\(/g, "onRanks(");
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target: options.target, module: ts.ModuleKind.ESNext },
  });
  const file = ts.createSourceFile("example.js", outputText, ts.ScriptTarget.ES2023);
  const last = file.statements.at(-1);
  const body =
    last && ts.isExpressionStatement(last)
      ? `${outputText.slice(0, last.getStart(file))}return (${last.expression.getText(file)});`
      : outputText;
  // In a block of its own: names that it declares hide those around it.
  // A function that is made from text has no import() of its own.
  // Threads and processes load the library as it is built: what is sent to them must come from there.
  const of = /\bonRanks\(|\bdistributed\.(team|init|elastic)\(|\.startSafetyMonitor\(/.test(code)
    ? library
    : mlsys;
  const scope = { ...scopeOf(path, of), onRanks, importHere: (name: string) => import(name) };
  const AsyncFunction = (async () => {}).constructor as new (
    ...parts: string[]
  ) => (...x: unknown[]) => unknown;
  return new AsyncFunction(...Object.keys(scope), `{${body.replaceAll(/\bimport\(/g, "importHere(")}\n}`)(
    ...Object.values(scope),
  );
}

const plain = (value: unknown): unknown =>
  value instanceof mlsys.Tensor || value instanceof library.Tensor
    ? value.toArray()
    : Array.isArray(value)
      ? value.map(plain)
      : ArrayBuffer.isView(value)
        ? Array.from(value as Uint8Array)
        : value;

function expectLike(found: unknown, wanted: unknown): void {
  if (typeof wanted === "number" && typeof found === "number") {
    expect(Math.abs(found - wanted), `${found} is ${wanted}`).toBeLessThanOrEqual(
      6e-4 * Math.max(Math.abs(wanted), 1e-9),
    );
  } else if (Array.isArray(wanted) && Array.isArray(found)) {
    expect(found).toHaveLength(wanted.length);
    wanted.forEach((w, i) => {
      expectLike(found[i], w);
    });
  } else expect(found).toEqual(wanted);
}

const program = ts.createProgram([ENTRY], options);
const names = publicNames(program);
const examples = names.flatMap((name) => name.examples);

/** Examples write their files here, by bare names. */
const folder = mkdtempSync(join(tmpdir(), "mlsys-examples-"));
const before = process.cwd();

describe("the API reference", () => {
  beforeAll(() => process.chdir(folder));
  afterAll(async () => {
    for (const team of teams.values()) await (await team).close();
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
  });

  it("has an example for each public function", () => {
    const without = names.filter(({ isFunction, examples }) => isFunction && examples.length === 0);
    expect(without.map(({ name }) => name)).toEqual([]);
  });

  it.each(examples.map((example, i) => ({ title: `${example.name} #${i}`, example })))(
    "$title",
    async ({ example }) => {
      const found = await evaluate(example);
      const { result } = example;
      if (result === null) return;
      const json = /^(-?[\d.]|[[{"]|true|false|null)/.test(result)
        ? (JSON.parse(result) as unknown)
        : undefined;
      if (json !== undefined) expectLike(plain(found), json);
      else if (/^\w+\([\d, ]*\)$/.test(result)) expect((found as mlsys.Tensor).type).toBe(result);
    },
  );

  it("compiles", () => {
    const blocks = examples.map(({ path, code }, i) => {
      const open = path.map(
        (_, k) => `const {${namesIn(path.slice(0, k + 1))}} = mlsys.${path.slice(0, k + 1).join(".")};`,
      );
      // A namespace's names hide those of the namespaces around it.
      return `// ${examples[i].name}\nasync function example${i}() { ${[...open, ""].join(" { ")}\n${code}\n${"} ".repeat(open.length)}}`;
    });
    const free = Object.keys(mlsys).join(", ");
    const text = `import * as mlsys from "../src/index.js";\nimport { ${free} } from "../src/index.js";\n${blocks.join("\n")}`;
    const host = ts.createCompilerHost(options);
    const { getSourceFile, fileExists } = host;
    host.fileExists = (name) => name === EXAMPLES || fileExists(name);
    host.getSourceFile = (name, ...rest) =>
      name === EXAMPLES
        ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2023)
        : getSourceFile(name, ...rest);
    const whole = ts.createProgram([EXAMPLES], options, host, program);
    const read = whole.getSourceFile(EXAMPLES);
    const wrong = [...whole.getSyntacticDiagnostics(read), ...whole.getSemanticDiagnostics(read)];
    expect(
      wrong.map(
        (d) => `${lineOf(text, d.start ?? 0)}: ${ts.flattenDiagnosticMessageText(d.messageText, " ")}`,
      ),
    ).toEqual([]);
  }, 60_000);
});

const namesIn = (path: readonly string[]): string =>
  Object.keys(path.reduce<object>((inner, part) => (inner as Record<string, object>)[part], mlsys)).join(
    ", ",
  );

const lineOf = (text: string, at: number): string =>
  text.slice(text.lastIndexOf("\n", at) + 1, text.indexOf("\n", at) < 0 ? undefined : text.indexOf("\n", at));
