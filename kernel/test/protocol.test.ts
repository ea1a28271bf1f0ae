import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Subscriber } from "zeromq";
import { address } from "../src/protocol/connection.js";
import { Wire } from "../src/protocol/message.js";
import { startKernel, type TestKernel, text, until } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel({ transport: "tcp" });
});
afterAll(() => kernel.stop());

const request = async (type: string, content = {}, channel: "shell" | "control" = "shell") =>
  (await kernel.client.request(type, content, { channel })).reply;

it("kernel_info has every field", async () => {
  const { content, header } = await request("kernel_info_request");
  expect(header.version).toBe("5.5");
  expect(content).toMatchObject({
    status: "ok",
    protocol_version: "5.5",
    implementation: "mlsys",
    implementation_version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    language_info: {
      name: "typescript",
      version: expect.any(String),
      mimetype: "text/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      codemirror_mode: "typescript",
      nbconvert_exporter: "script",
    },
    banner: expect.stringContaining("TypeScript"),
    debugger: true,
    help_links: expect.arrayContaining([{ text: "TypeScript", url: expect.stringContaining("https://") }]),
    supported_features: ["debugger", "kernel subshells"],
  });
});

it("connect tells the ports", async () => {
  const { shell_port, iopub_port, stdin_port, hb_port, control_port } = kernel.process.connection;
  expect((await request("connect_request")).content).toEqual({
    status: "ok",
    shell_port,
    iopub_port,
    stdin_port,
    hb_port,
    control_port,
  });
});

it("welcomes each subscription to iopub with its own topic (JEP 65)", async () => {
  const { connection } = kernel.process;
  const wire = new Wire(connection.key);
  const welcomed = async (topic: string | Buffer) => {
    const subscriber = new Subscriber({ linger: 0 });
    subscriber.connect(address(connection, "iopub"));
    subscriber.subscribe(topic);
    const { value } = await subscriber[Symbol.asyncIterator]().next();
    subscriber.close();
    return wire.decode(value as Buffer[]);
  };
  // The second subscription to the same topic is welcomed as the first one was.
  for (const topic of ["", "", "iopub_wel", "stränge"]) {
    // A topic that begins like the message's own name would be heard by chance: the frame in front is the topic.
    const { header, parentHeader, content, identities } = await welcomed(topic);
    expect([header.msg_type, parentHeader, content]).toEqual(["iopub_welcome", {}, { subscription: topic }]);
    expect(String(identities[0])).toBe(topic);
  }
  // What is not text gets no welcome, and does no harm.
  const odd = new Subscriber({ linger: 0, receiveTimeout: 300 });
  odd.connect(address(connection, "iopub"));
  odd.subscribe(Buffer.from([0xff, 0xfe]));
  await expect(odd.receive()).rejects.toThrow();
  odd.close();
});

it("answers on control, and the heartbeat, while a cell blocks its process", async () => {
  let done = false;
  let begun = false;
  const cell = kernel.client.execute('console.log("begun"); while (true) {}', {
    onOutput: () => {
      begun = true;
    },
  });
  void cell.then(() => {
    done = true;
  });
  await until(() => begun);
  await kernel.client.heartbeat();
  await request("kernel_info_request", {}, "control");
  await request("comm_info_request");
  expect((await request("is_complete_request", { code: "1" })).content.status).toBe("complete");
  expect(done).toBe(false);
  await kernel.client.interrupt();
  await cell;
});

it("wraps every request in busy and idle of its own", async () => {
  const seen: string[] = [];
  const stop = kernel.client.onMessage(({ header, parentHeader, content }) => {
    const type = (parentHeader as { msg_type?: string }).msg_type;
    if (type === "execute_request" || type === "history_request")
      seen.push(`${type.split("_")[0]} ${header.msg_type} ${content.execution_state ?? ""}`.trim());
  });
  await kernel.client.execute("console.log(1); 2");
  await request("history_request", { hist_access_type: "tail", n: 1, output: false, raw: true });
  stop();
  expect(seen).toEqual([
    "execute status busy",
    "execute execute_input",
    "execute stream",
    "execute execute_result",
    "execute status idle",
    "history status busy",
    "history status idle",
  ]);
});

describe("history", () => {
  const history = async (content: object) =>
    (await request("history_request", { output: false, raw: true, ...content })).content.history as [
      number,
      number,
      unknown,
    ][];

  it("has a tail, ranges and a search", async () => {
    await kernel.client.execute("'needle one'");
    await kernel.client.execute("'needle two'");
    await kernel.client.execute("'needle two'");
    const tail = await history({ hist_access_type: "tail", n: 2 });
    expect(tail.map(([, , input]) => input)).toEqual(["'needle two'", "'needle two'"]);
    const [session, line] = tail[0]!;
    expect(await history({ hist_access_type: "range", session, start: line, stop: line + 1 })).toEqual([
      tail[0],
    ]);
    expect(await history({ hist_access_type: "range", session: 0, start: line, stop: line + 1 })).toEqual([
      tail[0],
    ]);
    expect(await history({ hist_access_type: "search", pattern: "'needle*" })).toHaveLength(3);
    expect(await history({ hist_access_type: "search", pattern: "*needle t?o'", unique: true })).toHaveLength(
      1,
    );
    await kernel.client.execute("void 'nothing to show'");
    const withOutput = await history({ hist_access_type: "tail", n: 2, output: true });
    expect(withOutput.map(([, , pair]) => pair)).toEqual([
      ["'needle two'", "'needle two'"],
      ["void 'nothing to show'", null],
    ]);
  });

  it("outlives the kernel", async () => {
    const again = await startKernel({ directory: kernel.directory });
    const { content } = (
      await again.client.request("history_request", {
        hist_access_type: "search",
        pattern: "'needle one'",
        output: true,
      })
    ).reply;
    expect(content.history).toEqual([[1, expect.any(Number), ["'needle one'", "'needle one'"]]]);
    // Both kernels go on: each has a session of its own and sees what the other one ran.
    await again.client.execute("'from the second'");
    await kernel.client.execute("'from the first'");
    const tail = await history({ hist_access_type: "tail", n: 2 });
    expect(tail.map(([session, , input]) => [session, input])).toEqual([
      [2, "'from the second'"],
      [1, "'from the first'"],
    ]);
    await again.stop();
  });
});

describe("comms", () => {
  it("lists none, and closes one whose target nobody registered, on iopub", async () => {
    expect((await request("comm_info_request")).content).toEqual({ status: "ok", comms: {} });
    const closed = new Promise((resolve) => {
      const stop = kernel.client.onMessage(({ header, content }) => {
        if (header.msg_type !== "comm_close") return;
        stop();
        resolve(content);
      });
    });
    await kernel.client.send("shell", "comm_open", { comm_id: "c1", target_name: "nobody", data: {} });
    expect(await closed).toEqual({ comm_id: "c1", data: {} });
    expect((await request("comm_info_request")).content.comms).toEqual({});
  });

  it("carries messages and buffers to a target that a cell registered", async () => {
    await kernel.client.execute(`
      const comms = (globalThis as any)[Symbol.for("Jupyter.comms")];
      comms.registerTarget("echo", (comm: any) => {
        comm.onMessage((data: any, buffers: Uint8Array[]) => comm.send({ got: data }, {}, buffers));
      });`);
    await kernel.client.send("shell", "comm_open", { comm_id: "c2", target_name: "echo", data: {} });
    const answer = new Promise<Record<string, unknown>>((resolve) => {
      const stop = kernel.client.onMessage(({ header, content }) => {
        if (header.msg_type !== "comm_msg") return;
        stop();
        resolve(content);
      });
    });
    await kernel.client.send("shell", "comm_msg", { comm_id: "c2", data: { n: 1 } });
    expect(await answer).toMatchObject({ comm_id: "c2", data: { got: { n: 1 } } });
    expect((await request("comm_info_request", { target_name: "echo" })).content.comms).toEqual({
      c2: { target_name: "echo" },
    });
  });
});

it.skipIf(process.platform !== "linux")("usage tells processor and memory of host and worker", async () => {
  await request("usage_request", {}, "control");
  const pid = Number(text(await kernel.client.execute("process.pid")));
  await kernel.client.execute("{ const end = Date.now() + 300; while (Date.now() < end); }");
  await kernel.client.execute("const ballast = new Uint8Array(200e6).fill(1)");
  const { content } = await request("usage_request", {}, "control");
  const processes = content.processes as Record<string, { pid: number; cpu: number; memory: number }>;
  expect(content).toMatchObject({
    hostname: expect.any(String),
    pid: kernel.process.process.pid,
    cpu_count: expect.any(Number),
    host_cpu_percent: expect.any(Number),
    host_virtual_memory: { total: expect.any(Number), available: expect.any(Number) },
  });
  expect([processes.host!.pid, processes.worker!.pid]).toEqual([kernel.process.process.pid, pid]);
  expect(processes.worker!.memory).toBeGreaterThan(200e6);
  expect(processes.worker!.cpu).toBeGreaterThan(1);
  expect(content.kernel_memory).toBe(processes.host!.memory + processes.worker!.memory);
  expect(content.kernel_cpu).toBeCloseTo(processes.host!.cpu + processes.worker!.cpu, 5);
});

it("shuts down with a reply and ends the process", async () => {
  const short = await startKernel();
  expect(text(await short.client.execute("1"))).toBe("1");
  const exited = new Promise((resolve) => short.process.process.once("exit", (code) => resolve(code)));
  await short.client.shutdown(true);
  expect(await exited).toBe(0);
  await short.stop();
});
