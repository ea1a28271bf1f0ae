import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Wire } from "../src/protocol/message.js";
import { HOST, startKernel, type TestKernel, text, until } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
});
afterAll(() => kernel.stop());

it.each([
  ["process.exit", 'console.log("last words"); process.exit(3)', "exited with code 3"],
  [
    "process.exit in a timer",
    "setTimeout(() => process.exit(), 5); await new Promise((r) => setTimeout(r, 1e6))",
    "code 0",
  ],
  ["abort", "process.abort()", "crashed"],
  ["SIGKILL", 'process.kill(process.pid, "SIGKILL")', "SIGKILL"],
])("outlives %s: the reader is told, a fresh worker starts", async (_, code, told) => {
  await kernel.client.execute("const lost = 1");
  const { reply, stdout } = await kernel.client.execute(code);
  expect(reply).toMatchObject({ status: "error", ename: "KernelWorkerExit" });
  expect(reply.evalue).toContain(told);
  expect(reply.evalue).toContain("run their cells again");
  if (code.startsWith("console")) expect(stdout).toBe("last words\n");
  expect(text(await kernel.client.execute("1 + 1"))).toBe("2");
  expect((await kernel.client.execute("lost")).reply.ename).toBe("TypeScriptError");
});

it("outlives running out of memory", async () => {
  const small = await startKernel({ env: { MLSYS_NODE_OPTIONS: "--max-old-space-size=60" } });
  const { reply } = await small.client.execute(
    "const all: number[][] = []; for (;;) all.push(new Array(1e5).fill(0).map((_, i) => i + 0.5))",
  );
  expect(reply).toMatchObject({ status: "error", ename: "KernelWorkerExit" });
  expect(text(await small.client.execute("1"))).toBe("1");
  await small.stop();
});

it("tells of an exit that comes after the cell", async () => {
  const seen: string[] = [];
  const stop = kernel.client.onMessage(({ header, content }) => {
    if (header.msg_type === "stream") seen.push(String(content.text));
  });
  await kernel.client.execute("void setTimeout(() => process.exit(7), 20)");
  await until(() => seen.some((line) => line.includes("exited with code 7")));
  stop();
});

it("drops malformed, wrongly signed and repeated messages with a log line each", async () => {
  const forged = new Wire("wrong key", "intruder");
  await kernel.client.sendRaw(
    "shell",
    forged.encode(forged.message("execute_request", { code: "globalThis.hacked = 1" })),
  );
  await kernel.client.sendRaw("shell", [Buffer.from("nothing like a message")]);
  await kernel.client.sendRaw("control", [Buffer.from("<IDS|MSG>"), Buffer.from("x")]);
  const good = new Wire(kernel.process.connection.key, "me");
  const repeated = good.encode(good.message("kernel_info_request", {}));
  await kernel.client.sendRaw("shell", repeated);
  await kernel.client.sendRaw("shell", repeated);
  await kernel.client.sendRaw("shell", good.encode(good.message("no_such_request", {})));
  expect(text(await kernel.client.execute("'hacked' in globalThis"))).toBe("false");
  await until(() => kernel.log().includes("no handler for no_such_request"));
  for (const line of [
    "signature does not match",
    "no <IDS|MSG> delimiter",
    "expected at least 5",
    "repeated message",
  ])
    expect(kernel.log()).toContain(line);
});

it("gives the worker no key and no connection file", async () => {
  const { result } = await kernel.client.execute(
    'import { readdirSync, readlinkSync } from "node:fs"; JSON.stringify([process.argv, process.env, process.execArgv, ' +
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the cell's own template
      'process.platform === "linux" ? readdirSync("/proc/self/fd").map((fd) => { try { return readlinkSync(`/proc/self/fd/${fd}`) } catch { return "" } }) : []])',
  );
  const all = String(result!["text/plain"]);
  expect(all).not.toContain(kernel.process.connection.key);
  expect(all).not.toContain(kernel.process.connectionFile);
});

it.skipIf(process.platform === "win32")(
  "leaves no worker behind when the host is killed, even in a loop",
  async () => {
    const doomed = await startKernel();
    const { result } = await doomed.client.execute("process.pid", {});
    const pid = Number(result!["text/plain"]);
    void doomed.client.execute("while (true) {}").catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    await doomed.stop();
    await until(() => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
  },
);

it("ends when the process that started it has ended", async () => {
  const client = new URL("../dist/client/index.js", import.meta.url).href;
  const program = `import { launchKernel } from ${JSON.stringify(client)};
    const kernel = await launchKernel({ argv: [process.execPath, ${JSON.stringify(HOST)}, "{connection_file}"] });
    console.log(kernel.process.pid);
    setInterval(() => {}, 1e9);`;
  const starter = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(starter.stdout!, "data")) as [Buffer];
  const pid = Number(String(line));
  // A process that ended but that nobody waited for (in a container without an init) is still listed, as Z.
  const state = (): string => {
    try {
      return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).trim();
    } catch {
      return "";
    }
  };
  const lives = (): boolean => !/^(Z.*)?$/.test(state());
  expect(lives()).toBe(true);
  starter.kill("SIGKILL");
  await until(() => !lives());
});
