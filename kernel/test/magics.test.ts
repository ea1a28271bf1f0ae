import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MAGICS } from "../src/magics/table.js";
import { startKernel, type TestKernel, text, until } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
});
afterAll(() => kernel.stop());

const run = (code: string) => kernel.client.execute(code);
const shown = async (code: string) => {
  const { outputs } = await run(code);
  return outputs.map(({ content }) => (content.data as Record<string, string>)["text/plain"]).join("\n");
};

describe("%help", () => {
  it("shows every magic, or one", async () => {
    const all = await shown("%help");
    for (const { usage, summary } of MAGICS)
      for (const line of [...usage, summary]) expect(all).toContain(line);
    expect(await shown("%help who")).toMatch(/^%who, %who NAME…\n {4}lists/);
    expect((await run("%help nothing")).reply).toMatchObject({ ename: "UsageError" });
  });

  it("has a line for every magic in the documentation", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    for (const { usage } of MAGICS) for (const line of usage) expect(readme).toContain(`\`${line}\``);
  });

  it("points at a magic that is not there", async () => {
    const { reply } = await run("const before = 1;\n%tim before");
    expect(reply).toMatchObject({
      ename: "UsageError",
      evalue: "There is no magic %tim. Did you mean %time? %help lists them. (line 2:1)",
    });
    expect((reply.traceback as string[]).join("\n")).toContain("> 2 | %tim before");
  });
});

describe("%who and %reset", () => {
  it("lists what the reader declared, and nothing of the transpiler", async () => {
    const own = await startKernel();
    const listed = async () =>
      (await own.client.execute("%who")).outputs.map(
        ({ content }) => (content.data as Record<string, string>)["text/plain"],
      );
    await own.client.execute(
      "const n: number = 1; class Box {} enum Level { A }\nfunction deco(v: any, c: any) { return v }\nclass D { @deco m() {} }\nconst process = 'mine';",
    );
    expect(
      String(await listed())
        .split("\n")
        .map((line) => line.split(/ {2,}/).slice(0, 2)),
    ).toEqual([
      ["Box", "class"],
      ["D", "class"],
      ["Level", "Object"],
      ["deco", "function"],
      ["n", "number"],
      ["process", "string"],
    ]);
    const fresh = await own.client.execute("%reset\ntypeof n + typeof process", { stopOnError: false });
    expect(fresh.reply.ename).toBe("TypeScriptError");
    expect(text(await own.client.execute("// @ts-nocheck\ntypeof n + typeof process"))).toBe(
      "'undefinedobject'",
    );
    expect(await listed()).toEqual(["No variables."]);
    await own.client.execute("const n = 'again';");
    expect(await listed()).toEqual(["n  string  'again'"]);
    await own.stop();
  });

  it("shows a value that cannot be read", async () => {
    await run("const { proxy, revoke } = Proxy.revocable({}, {}); revoke();");
    expect(await shown("%who proxy")).toMatch(/^proxy/);
  });
});

describe("%time and %timeit", () => {
  it("tells the time, and keeps declarations and the value", async () => {
    const { stdout, result, reply } = await run(
      "%time const squares = [1, 2, 3].map((x: number) => x ** 2)\nsquares",
    );
    expect(reply.status).toBe("ok");
    expect(stdout).toMatch(/^wall [\d.]+ (s|ms|µs|ns), processor /);
    expect(text({ result })).toBe("[ 1, 4, 9 ]");
    expect(text(await run("%time squares.length"))).toBe("3");
    const cell = await run("%%time\nconst fromCell: number = await Promise.resolve(4);\nfromCell");
    expect([text(cell), cell.stdout.startsWith("wall")]).toEqual(["4", true]);
  });

  it("runs code so often as it is told, in a scope of its own", async () => {
    await run("let calls = 0; const touch = () => { calls++ };");
    const { stdout } = await run("%timeit -n 5 -r 3 touch()");
    expect(stdout).toMatch(/per run \(mean ± standard deviation of 3 repetitions of 5 runs; best /);
    expect(text(await run("calls"))).toBe("15");
    await run("%%timeit -n 2 -r 2\nconst inner = await Promise.resolve(1);\ncalls += inner;");
    expect(text(await run("calls"))).toBe("19");
    expect((await run("inner")).reply.ename).toBe("TypeScriptError");
  });

  it.each(["%time ", "%timeit -n 3 ", "%time   "])(
    "%j: errors point at the reader's column",
    async (magic) => {
      for (const code of ["(null as any).field", "const wrong: number = 'x'"]) {
        const column = magic.length + code.search(/field|wrong/) + 1;
        const { reply } = await run(magic + code);
        const lines = (reply.traceback as string[]).join("\n").split("\n");
        const caret = lines[lines.findIndex((line) => line.startsWith("> 1 |")) + 1]!;
        expect(caret.indexOf("^") - 5).toBe(column);
      }
    },
  );
});

describe("%prof", () => {
  it("draws the cell's functions, and none of the kernel's", async () => {
    const { outputs, result } = await run(
      "%%prof\nfunction fibonacci(n: number): number { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2) }\nfibonacci(33)",
    );
    expect(text({ result })).toBe("3524578");
    const data = outputs[0]!.content.data as Record<string, string>;
    expect(data["text/html"]).toMatch(/^<svg [^>]*>.*<title>fibonacci \(Cell \[\d+\]:2\)\n/s);
    expect(data["text/plain"]).toMatch(/ms sampled[\s\S]*fibonacci \(Cell/);
    expect(data["text/html"]).not.toMatch(/evaluate|processTicks|kernel/);
  });

  it("also of a cell that was interrupted", async () => {
    let begun = false;
    const running = kernel.client.execute(
      "%%prof\nconsole.log('begun');\nfunction busy() { for (;;) Math.sqrt(2) }\nbusy()",
      {
        onOutput: () => {
          begun = true;
        },
      },
    );
    await until(() => begun);
    await new Promise((resolve) => setTimeout(resolve, 400));
    await kernel.client.request("interrupt_request", {}, { channel: "control" });
    const { outputs, reply } = await running;
    expect(reply.ename).toBe("Interrupted");
    expect(JSON.stringify(outputs)).toContain("busy (Cell");
  });
});

/** A process may go between two looks at it. */
function hasEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
}

describe("commands", () => {
  it("shows output as it comes", async () => {
    const seen: string[] = [];
    const { stdout, stderr } = await kernel.client.execute(
      "%%bash\nread x\necho one\nsleep 0.3\necho two >&2\nsleep 0.3\necho three $((1+1))",
      { onOutput: ({ content }) => seen.push(String(content.text)) },
    );
    expect([stdout, stderr]).toEqual(["one\nthree 2\n", "two\n"]);
    expect(seen).toEqual(["one\n", "two\n", "three 2\n"]);
  });

  it("stops at a command that failed", async () => {
    const { reply, stdout } = await run("!echo first\n!exit 7\n!echo never");
    expect(stdout).toBe("first\n");
    expect(reply).toMatchObject({ ename: "CommandError", evalue: "!exit 7 ended with exit code 7." });
    expect((reply.traceback as string[]).join("\n")).toContain("> 2 | !exit 7");
    expect((await run("%%bash\nnosuchcommand")).reply).toMatchObject({
      evalue: "The script ended with exit code 127.",
    });
  });

  it.each(["%%bash\necho $$; sleep 100; echo never", "!echo $$; sleep 100; echo never"])(
    "is interrupted: %j",
    async (code) => {
      let pid = 0;
      const running = kernel.client.execute(code, {
        onOutput: ({ type, content }) => {
          if (type === "stream") pid = Number(content.text);
        },
      });
      await until(() => pid > 0);
      await kernel.client.request("interrupt_request", {}, { channel: "control" });
      expect((await running).reply.ename).toBe("Interrupted");
      await until(() => hasEnded(pid));
      expect(text(await run("'alive'"))).toBe("'alive'");
    },
  );
});

describe("%submit", () => {
  // What it does with a service is tested with the service, in the grader's tests.
  it("says what it lacks", async () => {
    const message = async (code: string) => (await run(code)).reply.evalue;
    expect(await message("%submit")).toContain(
      "does not know this notebook's file here: write %submit FILE.ipynb",
    );
    expect(await message("%submit nowhere.ipynb --yes")).toMatch(/there is no file .*nowhere\.ipynb\./);
    expect(await message("%submit a.ipynb b.ipynb")).toContain("takes one file, found a.ipynb, b.ipynb");
    expect(await message("%submit notes.txt")).toContain("write %submit FILE.ipynb");
    writeFileSync(join(kernel.directory, "alone.ipynb"), "{}");
    expect(await message("%submit alone.ipynb")).toContain("needs the package @mlsys/grader");
  });
});

describe("%cd, %env, %load, %typecheck, %%js, %install", () => {
  it("changes folders, and imports stay where they are", async () => {
    mkdirSync(join(kernel.directory, "sub folder"));
    writeFileSync(join(kernel.directory, "here.ts"), "export const here = 'beside the notebook';");
    const home = realpathSync(kernel.directory);
    expect((await run('%cd "sub folder"')).stdout).toBe(`${join(home, "sub folder")}\n`);
    expect(text(await run('import { here } from "./here"; here'))).toBe("'beside the notebook'");
    expect((await run("!pwd")).stdout).toBe(`${join(home, "sub folder")}\n`);
    expect((await run("%cd -")).stdout).toBe(`${home}\n`);
    expect((await run("%cd nowhere")).reply).toMatchObject({ ename: "UsageError" });
    expect((await run("%cd sub folder\n%cd")).stdout).toBe(`${join(home, "sub folder")}\n${home}\n`);
  });

  it("sets and shows the environment", async () => {
    const { stdout } = await run(
      "%env MLSYS_PROBE=a = b\n%env MLSYS_PROBE\n!echo [$MLSYS_PROBE]\n%env NOT_SET_AT_ALL",
    );
    expect(stdout).toBe("a = b\n[a = b]\nNOT_SET_AT_ALL is not set.\n");
    expect((await run("%env")).stdout).toMatch(/^PATH=/m);
  });

  it("puts a file into the cell", async () => {
    writeFileSync(join(kernel.directory, "snippet.ts"), "const loaded = 1;\nloaded;\n");
    expect((await run("%load snippet.ts")).reply.payload).toEqual([
      { source: "set_next_input", text: "// %load snippet.ts\nconst loaded = 1;\nloaded;", replace: true },
    ]);
    expect((await run("%load gone.ts")).reply.evalue).toContain("%load cannot read");
  });

  it("turns the type check off and on", async () => {
    expect((await run("%typecheck off\nconst loose: number = 'x';")).reply.status).toBe("ok");
    expect((await run("const loose2: number = 'x';")).reply.status).toBe("ok");
    expect((await run("%typecheck")).stdout).toBe("The type check is off.\n");
    expect((await run("%typecheck on\nconst loose3: number = 'x';")).reply.ename).toBe("TypeScriptError");
    expect((await run("%env HOME\n// @ts-nocheck\nconst loose4: number = 'x';")).reply.status).toBe("ok");
    expect((await run("%typecheck perhaps")).reply.evalue).toContain('takes on or off, found "perhaps"');
  });

  it("runs a JavaScript cell in the session", async () => {
    await run("const typed: number = 20;");
    expect(text(await run("%%js\nfunction twice(x) { return x * typed.valueOf() }\ntwice(2)"))).toBe("40");
    expect(text(await run("twice(3)"))).toBe("60");
  });

  it("installs a package that the next cell imports, with its types", async () => {
    const source = join(kernel.directory, "made-here");
    mkdirSync(source);
    writeFileSync(
      join(source, "package.json"),
      '{ "name": "made-here", "version": "1.0.0", "main": "i.js", "types": "i.d.ts" }',
    );
    writeFileSync(join(source, "i.js"), "exports.answer = 42;");
    writeFileSync(join(source, "i.d.ts"), "export declare const answer: number;");
    writeFileSync(join(kernel.directory, "package.json"), "{}");
    expect((await run('import { answer } from "made-here"; answer')).reply.ename).toBe("TypeScriptError");
    const { reply, stdout } = await run("%install ./made-here");
    expect(reply.status).toBe("ok");
    expect(stdout).toMatch(/added 1 package/);
    expect(existsSync(join(kernel.directory, "node_modules", "made-here"))).toBe(true);
    expect(text(await run('import { answer } from "made-here"; answer.toFixed(1)'))).toBe("'42.0'");
    expect((await run("%install")).reply.ename).toBe("UsageError");
  }, 60_000);
});

describe("asking about magics", () => {
  const complete = async (code: string) =>
    (await kernel.client.request("complete_request", { code, cursor_pos: code.length })).reply.content;

  it("completes names and words", async () => {
    expect((await complete("%ti")).matches).toEqual(["%time", "%timeit"]);
    expect(await complete("1;\n%%b")).toMatchObject({ matches: ["%%bash"], cursor_start: 3, cursor_end: 6 });
    expect((await complete("%typecheck o")).matches).toEqual(["on", "off"]);
    expect((await complete("%help tim")).matches).toEqual(["time", "timeit"]);
    expect((await complete("%%bash\ncons")).matches).toEqual([]);
  });

  it("completes TypeScript beside magics", async () => {
    await run("const planet = { mass: 1 };");
    expect((await complete("%time planet.ma")).matches).toEqual(["mass"]);
    expect((await complete("%cd /tmp\nplanet.ma")).matches).toEqual(["mass"]);
  });

  it("inspects a magic", async () => {
    const { content } = (
      await kernel.client.request("inspect_request", { code: "%timeit f()", cursor_pos: 4 })
    ).reply;
    expect(content.found).toBe(true);
    expect((content.data as Record<string, string>)["text/plain"]).toContain("%timeit [-n LOOPS]");
  });

  it.each([
    ["%who", "complete"],
    ["%%bash", "incomplete"],
    ["%%bash\nls", "incomplete"],
    ["%%bash\nls\n", "complete"],
    ["%time f(1)", "complete"],
    ["%nomagic", "invalid"],
    ["!ls -l", "complete"],
  ])("%j is %s", async (code, status) => {
    expect((await kernel.client.request("is_complete_request", { code })).reply.content.status).toBe(status);
  });
});
