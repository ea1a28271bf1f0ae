/**
 * What VS Code's Jupyter extension sends, message by message. Source: microsoft/vscode-jupyter,
 * src/kernels/raw/session/rawKernelConnection.node.ts (start), src/kernels/kernel.ts and helpers.ts (silent cells),
 * src/kernels/execution/cellExecution.ts (cells), src/standalone/intellisense (completion while cells run).
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Dealer, Subscriber } from "zeromq";
import { address } from "../src/protocol/connection.js";
import { type Json, type Message, Wire } from "../src/protocol/message.js";
import { startKernel, type TestKernel, until } from "./kernel.js";

let kernel: TestKernel;
let code: Extension;
beforeAll(async () => {
  kernel = await startKernel({ transport: "tcp" });
  code = new Extension(kernel);
});
afterAll(async () => {
  code.close();
  await kernel.stop();
});

/** The extension's end: one client id for all sockets, and what it has heard, in order. */
class Extension {
  readonly heard: { channel: string; message: Message }[] = [];
  private readonly wire: Wire;
  private readonly sockets: Record<string, Dealer>;
  private readonly iopub = new Subscriber({ linger: 0 });

  constructor({ process: { connection } }: TestKernel) {
    this.wire = new Wire(connection.key, "vscode-client", "");
    const connect = (channel: "shell" | "control" | "stdin") => {
      const socket = new Dealer({ routingId: "vscode-client", linger: 0 });
      socket.connect(address(connection, channel));
      void this.listen(channel, socket);
      return socket;
    };
    this.sockets = { shell: connect("shell"), control: connect("control"), stdin: connect("stdin") };
    this.iopub.connect(address(connection, "iopub"));
    this.iopub.subscribe();
    void this.listen("iopub", this.iopub);
  }

  async send(channel: string, type: string, content: Json, extra: Partial<Message> = {}): Promise<string> {
    const message = this.wire.message(type, content, undefined, extra);
    await this.sockets[channel]!.send(this.wire.encode(message));
    return message.header.msg_id;
  }

  /** All that was heard about a request, by type of message. */
  about(id: string): string[] {
    return this.heard
      .filter(({ message }) => (message.parentHeader as { msg_id?: string }).msg_id === id)
      .map(({ message: { header, content } }) =>
        `${header.msg_type} ${content.execution_state ?? content.status ?? ""}`.trim(),
      );
  }

  find(id: string, type: string): Json | undefined {
    return this.heard.find(
      ({ message }) =>
        (message.parentHeader as { msg_id?: string }).msg_id === id && message.header.msg_type === type,
    )?.message.content;
  }

  async reply(id: string, type: string): Promise<Json> {
    await until(() => this.find(id, type) !== undefined && this.about(id).includes("status idle"));
    return this.find(id, type)!;
  }

  close(): void {
    for (const socket of [...Object.values(this.sockets), this.iopub]) socket.close();
  }

  private async listen(channel: string, socket: Dealer | Subscriber): Promise<void> {
    for await (const frames of socket)
      this.heard.push({ channel, message: this.wire.decode(frames as Buffer[]) });
  }
}

/** executeSilently: output is wanted, a number is not. */
const SILENTLY = { silent: false, stop_on_error: false, allow_stdin: true, store_history: false };
const CELL = { silent: false, stop_on_error: false, allow_stdin: true, store_history: true };

it("starts: kernel_info on control and shell at once, again until iopub is heard", async () => {
  const ask = async () => [
    await code.send("control", "kernel_info_request", {}),
    await code.send("shell", "kernel_info_request", {}),
  ];
  while (!code.heard.some(({ channel }) => channel === "iopub")) {
    await ask();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  // Of a round that iopub began to be heard in, part may be lost.
  const ids = await ask();
  for (const [index, id] of ids.entries()) {
    const info = await code.reply(id, "kernel_info_reply");
    expect(info).toMatchObject({
      status: "ok",
      language_info: { name: "typescript", file_extension: ".ts" },
    });
    const reply = code.heard.find(
      ({ message }) =>
        (message.parentHeader as { msg_id?: string }).msg_id === id &&
        message.header.msg_type === "kernel_info_reply",
    );
    expect(reply!.channel).toBe(["control", "shell"][index]);
  }
});

it("runs startup code, also none, that neither counts nor is remembered", async () => {
  const empty = await code.send("shell", "execute_request", { code: "", ...SILENTLY });
  expect(await code.reply(empty, "execute_reply")).toMatchObject({ status: "ok", execution_count: 0 });
  const startup = await code.send("shell", "execute_request", {
    code: 'const startup = 1;\nconsole.log("ready")',
    ...SILENTLY,
  });
  expect(await code.reply(startup, "execute_reply")).toMatchObject({ status: "ok", execution_count: 0 });
  expect(code.find(startup, "stream")).toEqual({ name: "stdout", text: "ready\n" });
  const broken = await code.send("shell", "execute_request", {
    code: "%config Completer.use_jedi = False",
    ...SILENTLY,
  });
  expect((await code.reply(broken, "execute_reply")).status).not.toBe("aborted");
  const history = await code.send("shell", "history_request", {
    hist_access_type: "tail",
    n: 5,
    raw: true,
    output: false,
  });
  expect((await code.reply(history, "history_reply")).history).toEqual([]);
});

it("runs cells with the cell's address in the metadata, in the order of its messages", async () => {
  const id = await code.send(
    "shell",
    "execute_request",
    { code: "console.log(startup); startup + 1", ...CELL },
    { metadata: { cellId: "vscode-notebook-cell:/nb.ipynb#W0sZmlsZQ%3D%3D", trusted: true } },
  );
  await code.reply(id, "execute_reply");
  expect(code.about(id).filter((line) => !line.startsWith("execute_reply"))).toEqual([
    "status busy",
    "execute_input",
    "stream",
    "execute_result",
    "status idle",
  ]);
  expect(code.find(id, "execute_input")).toMatchObject({ execution_count: 1 });
});

it("goes on with the queued cells after an error", async () => {
  const [failed, next] = [
    await code.send("shell", "execute_request", { code: 'throw new Error("x")', ...CELL }),
    await code.send("shell", "execute_request", { code: "'next'", ...CELL }),
  ];
  expect((await code.reply(failed, "execute_reply")).status).toBe("error");
  expect((await code.reply(next, "execute_reply")).status).toBe("ok");
});

it("completes and inspects in parallel while a cell runs, then interrupts by message", async () => {
  const running = await code.send("shell", "execute_request", {
    code: 'console.log("on"); while (true) {}',
    ...CELL,
  });
  await until(() => code.find(running, "stream") !== undefined);
  const asked = await Promise.all(
    Array.from({ length: 5 }, (_, index) => [
      code.send("shell", "complete_request", { code: "startup.toF", cursor_pos: 11 }),
      code.send("shell", "inspect_request", { code: "startup", cursor_pos: 7, detail_level: index % 2 }),
      code.send("shell", "comm_info_request", { target_name: "jupyter.widget" }),
      code.send("shell", "is_complete_request", { code: "f(" }),
    ]).flat(),
  );
  for (let index = 0; index < asked.length; index += 4) {
    expect((await code.reply(asked[index]!, "complete_reply")).matches).toContain("toFixed");
    expect((await code.reply(asked[index + 1]!, "inspect_reply")).found).toBe(true);
    expect((await code.reply(asked[index + 2]!, "comm_info_reply")).comms).toEqual({});
    expect((await code.reply(asked[index + 3]!, "is_complete_reply")).status).toBe("incomplete");
  }
  expect(code.find(running, "execute_reply")).toBeUndefined();
  const interrupt = await code.send("control", "interrupt_request", {});
  expect(await code.reply(interrupt, "interrupt_reply")).toEqual({ status: "ok" });
  expect((await code.reply(running, "execute_reply")).ename).toBe("Interrupted");
});

it("answers a question in its input box", async () => {
  const asking = await code.send("shell", "execute_request", { code: 'prompt("name?")', ...CELL });
  await until(() => code.find(asking, "input_request") !== undefined);
  const question = code.heard.find(({ message }) => message.header.msg_type === "input_request")!;
  expect(question.channel).toBe("stdin");
  await code.send(
    "stdin",
    "input_reply",
    { status: "ok", value: "Ada" },
    { parentHeader: question.message.header },
  );
  await code.reply(asking, "execute_reply");
  expect(code.find(asking, "execute_result")).toMatchObject({ data: { "text/plain": "'Ada'" } });
});

it("ends by a shutdown on control, and the process with it", async () => {
  const ended = new Promise((resolve) => kernel.process.process.once("exit", resolve));
  await code.send("control", "shutdown_request", { restart: false });
  await until(() =>
    code.heard.some(
      ({ channel, message }) => channel === "control" && message.header.msg_type === "shutdown_reply",
    ),
  );
  expect(await ended).toBe(0);
});
