/** Code that is not in a cell: files of the reader's and libraries can be stepped through, the kernel and Node cannot. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ModuleKind, ScriptTarget, transpileModule } from "typescript";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { DapClient } from "./dap.js";
import { text } from "./kernel.js";

const directory = mkdtempSync(join(tmpdir(), "debugged-"));
const HELPER = join(directory, "helper.ts");
const LIBRARY = join(directory, "node_modules/measures");

writeFileSync(
  HELPER,
  `export interface Size { width: number; height: number }

export enum Unit { Mm, Cm }

export function area(size: Size): number {
  const { width, height } = size;
  return width * height;
}
`,
);
const SOURCE = `interface Options {
  scale: number;
}

/** A comment that does not survive. */
export class Scaler {
  private readonly scale: number;
  constructor(options: Options) {
    this.scale = options.scale;
  }
  apply(values: number[]): number[] {
    return values.map((value) => this.one(value));
  }
  private one(value: number): number {
    const scaled: number = value * this.scale;
    return scaled;
  }
}
`;
mkdirSync(join(LIBRARY, "src"), { recursive: true });
mkdirSync(join(LIBRARY, "dist"), { recursive: true });
const { outputText, sourceMapText } = transpileModule(SOURCE, {
  fileName: "index.ts",
  compilerOptions: {
    module: ModuleKind.ESNext,
    target: ScriptTarget.ES2022,
    sourceMap: true,
    removeComments: true,
  },
});
writeFileSync(join(LIBRARY, "src/index.ts"), SOURCE);
writeFileSync(join(LIBRARY, "dist/index.js"), outputText);
writeFileSync(join(LIBRARY, "dist/index.js.map"), sourceMapText!.replace('"index.ts"', '"../src/index.ts"'));
writeFileSync(
  join(LIBRARY, "package.json"),
  JSON.stringify({ name: "measures", version: "1.0.0", type: "module", exports: "./dist/index.js" }),
);
writeFileSync(
  join(directory, "plain.mjs"),
  "export function plain(v) {\n  const twice = v * 2;\n  return twice;\n}\n",
);

const environment = { directory, env: { MLSYS_TYPECHECK: "off" } };
let dap: DapClient;
beforeAll(async () => {
  dap = await DapClient.start(environment);
});
afterAll(async () => {
  await dap?.kernel.stop();
  rmSync(directory, { recursive: true, force: true });
});
afterEach(async ({ task }) => {
  if (task.result?.state !== "fail") return;
  await dap.kernel.stop();
  dap = await DapClient.start(environment);
});

describe("files", () => {
  it("stops in a TypeScript file that is not loaded yet, and steps out of it", async () => {
    expect(await dap.breakIn(HELPER, 7)).toMatchObject([
      { verified: false, message: "The file is not loaded yet." },
    ]);
    const done = dap.run(
      'import { area } from "./helper";\nconst found = area({ width: 2, height: 3 });\nfound',
    );
    await dap.stopped();
    const [top, cell] = await dap.stack();
    expect(top).toMatchObject({ name: "area", line: 7, source: { name: "helper.ts", path: HELPER } });
    expect(cell).toMatchObject({ name: "<cell>", line: 2 });
    expect(await dap.values((await dap.scopes()).Locals!)).toMatchObject({ width: "2", height: "3" });
    expect(await dap.request("source", { source: { path: HELPER } })).toMatchObject({
      content: readFileSync(HELPER, "utf8"),
    });
    expect(await dap.breakIn(HELPER)).toEqual([]);
    expect(await dap.step("stepOut")).toEqual([expect.stringMatching(/^<cell>:[23]$/)]);
    await dap.continue();
    expect(text(await done)).toBe("6");
  });

  it("keeps the breakpoint when the file changes and is loaded again", async () => {
    writeFileSync(
      HELPER,
      readFileSync(HELPER, "utf8").replace("export enum", "// one line more\nexport enum"),
    );
    await dap.breakIn(HELPER, 8);
    const done = dap.run('import { area } from "./helper";\narea({ width: 2, height: 5 })');
    await dap.stopped();
    expect(await dap.where()).toEqual(["area:8", "<cell>:2"]);
    await dap.breakIn(HELPER);
    await dap.continue();
    expect(text(await done)).toBe("10");
  });

  it("stops in a JavaScript file", async () => {
    const path = join(directory, "plain.mjs");
    await dap.breakIn(path, 3);
    const done = dap.run('import { plain } from "./plain.mjs";\nplain(4)');
    await dap.stopped();
    expect(await dap.where()).toEqual(["plain:3", "<cell>:2"]);
    expect(await dap.breakIn(path, 3)).toMatchObject([{ verified: true, line: 3 }]);
    await dap.breakIn(path);
    await dap.continue();
    expect(text(await done)).toBe("8");
  });
});

describe("libraries", () => {
  const PATH = join(LIBRARY, "src/index.ts");

  it("are stepped into, in their own TypeScript", async () => {
    await dap.run('import { Scaler } from "measures";\nconst scaler = new Scaler({ scale: 3 });');
    const code = "scaler.apply([1, 2]);";
    await dap.breakAt(code, 1);
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.step("stepIn")).toEqual(["apply:12", "<cell>:1"]);
    expect((await dap.stack())[0]!.source).toMatchObject({ name: "index.ts", path: PATH });
    await dap.breakIn(PATH, 15);
    await dap.continue();
    await dap.stopped();
    expect((await dap.where()).at(0)).toBe("one:15");
    expect(await dap.where()).toHaveLength(4);
    await dap.breakIn(PATH);
    await dap.breakAt(code);
    await dap.continue();
    expect(text(await done)).toBe("[ 3, 6 ]");
  });

  it("are listed as modules and sources; the kernel and Node are not", async () => {
    const { modules, totalModules } = await dap.request("modules");
    const paths = (modules as { path: string }[]).map(({ path }) => path);
    expect(paths).toContain(PATH);
    expect(paths).toHaveLength(Number(totalModules));
    expect(paths.filter((path) => /^node:|kernel\/dist/.test(path))).toEqual([]);
    const { sources } = await dap.request("loadedSources");
    const names = (sources as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["index.ts", expect.stringMatching(/^Cell \d+$/)]));
    expect(await dap.request("breakpointLocations", { source: { path: PATH }, line: 15 })).toMatchObject({
      breakpoints: expect.arrayContaining([expect.objectContaining({ line: 15 })]),
    });
  });

  it("of the course are shown in TypeScript too", async () => {
    const code = 'import { tensor } from "mlsys";\nconst t = tensor([[1, 2], [3, 4]]);\nt.add(1);';
    await dap.breakAt(code, 3);
    const done = dap.run(code);
    await dap.stopped();
    const globals = await dap.values((await dap.scopes()).Globals!);
    expect(globals.t).toBe("tensor([[1., 2.], [3., 4.]], float32(2, 2))");
    await dap.step("stepIn");
    const [top] = await dap.stack();
    expect(top!.source.path).toMatch(/lib\/src\/.*\.ts$/);
    const line = readFileSync(top!.source.path, "utf8").split("\n")[top!.line - 1]!;
    expect(line.trim()).not.toBe("");
    await dap.breakAt(code);
    await dap.continue();
    await done;
  });
});

describe("hidden code", () => {
  it("is stepped over: a callback that Node calls, seen from the cell", async () => {
    const code = `import { EventEmitter } from "node:events";
const emitter = new EventEmitter();
emitter.on("x", () => {
  String("heard");
});
emitter.emit("x");
5`;
    await dap.breakAt(code, 4);
    const done = dap.run(code);
    await dap.stopped();
    expect(await dap.where()).toEqual([expect.stringMatching(/:4$/), "<cell>:6"]);
    expect(await dap.step("stepOut")).toEqual([expect.stringMatching(/^<cell>:[67]$/)]);
    await dap.breakAt(code);
    await dap.continue();
    expect(text(await done)).toBe("5");
  });

  it("can be evaluated code of the reader's own: it has a source", async () => {
    const done = dap.run('const made = new Function("v", "debugger;\\nreturn v + 1;");\nmade(1)');
    await dap.stopped();
    const [top] = await dap.stack();
    const { content } = await dap.request("source", {
      source: top!.source,
      sourceReference: top!.source.sourceReference,
    });
    expect(String(content)).toContain("return v + 1;");
    await dap.continue();
    expect(text(await done)).toBe("2");
  });
});
