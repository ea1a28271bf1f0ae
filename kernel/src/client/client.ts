/**
 * The client's end of the five channels. It speaks to any kernel; nothing here knows ours.
 *
 * ```ts
 * const kernel = await launchKernel({ argv: [process.execPath, "kernel/dist/host/main.js", "{connection_file}"] });
 * const client = await KernelClient.connect(kernel.connection);
 * const { outputs, reply } = await client.execute("1 + 1");
 * await client.shutdown();
 * await kernel.kill();
 * ```
 */
import { randomUUID } from "node:crypto";
import { Dealer, Request, Subscriber } from "zeromq";
import { address, type ConnectionInfo } from "../protocol/connection.js";
import { type Json, type Message, Wire } from "../protocol/message.js";

/** A message on iopub, without statuses and the echo of the input. */
export interface KernelOutput {
  type: string;
  content: Json;
  metadata: Json;
}

export interface ExecuteOptions {
  silent?: boolean;
  storeHistory?: boolean;
  stopOnError?: boolean;
  userExpressions?: Record<string, string>;
  /** Id of the subshell that runs the cell; the main shell without it. */
  subshell?: string;
  /** Answers questions of the cell; without it the request says that no input can be given. */
  input?: (prompt: string, password: boolean) => string | Promise<string>;
  /** Called with each output as it comes. */
  onOutput?: (output: KernelOutput) => void;
  /** Gives up after so many milliseconds. */
  timeoutMs?: number;
}

export interface ExecuteResult {
  reply: Json;
  outputs: KernelOutput[];
  /** All text of one stream, joined. */
  stdout: string;
  stderr: string;
  /** Data of the execute_result, if there was one. */
  result?: Record<string, unknown>;
}

interface Pending {
  outputs: Message[];
  reply?: Message;
  idle: boolean;
  wantsReply: boolean;
  onMessage?: (message: Message) => void;
  onInput?: (message: Message) => void;
  resolve(): void;
  reject(error: Error): void;
}

export class KernelClient {
  readonly session = randomUUID();
  private readonly wire: Wire;
  private readonly sockets: Record<"shell" | "control" | "stdin", Dealer>;
  private readonly iopub = new Subscriber({ receiveHighWaterMark: 0, linger: 0 });
  private readonly pending = new Map<string, Pending>();
  private readonly listeners = new Set<(message: Message) => void>();
  private readonly sending = new Map<string, Promise<void>>();
  private closed = false;

  private constructor(private readonly connection: ConnectionInfo) {
    this.wire = new Wire(connection.key, this.session, "client");
    const dealer = () =>
      new Dealer({ routingId: `${this.session}`, sendHighWaterMark: 0, receiveHighWaterMark: 0, linger: 0 });
    this.sockets = { shell: dealer(), control: dealer(), stdin: dealer() };
  }

  /** Connects, and waits until the kernel answers and its iopub channel is heard. */
  static async connect(connection: ConnectionInfo, timeoutMs = 60_000): Promise<KernelClient> {
    const client = new KernelClient(connection);
    for (const channel of ["shell", "control", "stdin"] as const)
      client.sockets[channel].connect(address(connection, channel));
    client.iopub.connect(address(connection, "iopub"));
    client.iopub.subscribe();
    for (const channel of ["shell", "control", "stdin"] as const)
      void client.receive(client.sockets[channel], channel);
    void client.receive(client.iopub, "iopub");
    try {
      await client.waitUntilHeard(timeoutMs);
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** Sends a request and waits for its reply and for the idle status after it. */
  async request(
    type: string,
    content: Json = {},
    options: {
      channel?: "shell" | "control";
      timeoutMs?: number;
      onMessage?: (message: Message) => void;
      /** Id of the subshell that the request is for. */
      subshell?: string;
      /** `false` returns with the reply: some kernels send no status for control requests. */
      needsIdle?: boolean;
    } = {},
  ): Promise<{ reply: Message; outputs: Message[] }> {
    const entry = await this.exchange(options.channel ?? "shell", type, content, {
      ...options,
      wantsReply: true,
    });
    return { reply: entry.reply!, outputs: entry.outputs };
  }

  /** Sends a message that has no reply. @returns its header's id. */
  async send(
    channel: "shell" | "control" | "stdin",
    type: string,
    content: Json,
    parent?: Message,
  ): Promise<string> {
    const message = this.wire.message(
      type,
      content,
      undefined,
      parent ? { parentHeader: parent.header } : {},
    );
    await this.transmit(channel, this.wire.encode(message));
    return message.header.msg_id;
  }

  /** Sends frames as they are: for tests of what a kernel does with a broken message. */
  sendRaw(channel: "shell" | "control" | "stdin", frames: Buffer[]): Promise<void> {
    return this.transmit(channel, frames);
  }

  async execute(code: string, options: ExecuteOptions = {}): Promise<ExecuteResult> {
    const entry = await this.exchange(
      "shell",
      "execute_request",
      {
        code,
        silent: options.silent ?? false,
        store_history: options.storeHistory ?? true,
        user_expressions: options.userExpressions ?? {},
        allow_stdin: options.input !== undefined,
        stop_on_error: options.stopOnError ?? true,
      },
      {
        timeoutMs: options.timeoutMs,
        subshell: options.subshell,
        wantsReply: true,
        onMessage: (message) => {
          if (isOutput(message)) options.onOutput?.(asOutput(message));
        },
        onInput: (message) => {
          const { prompt, password } = message.content as { prompt: string; password: boolean };
          void Promise.resolve(options.input?.(prompt, password) ?? "").then((value) =>
            this.send("stdin", "input_reply", { status: "ok", value }, message),
          );
        },
      },
    );
    const outputs = entry.outputs.filter(isOutput).map(asOutput);
    const text = (name: string) =>
      outputs
        .filter((output) => output.type === "stream" && output.content.name === name)
        .map((output) => String(output.content.text))
        .join("");
    const result = outputs.find((output) => output.type === "execute_result")?.content.data;
    return {
      reply: entry.reply!.content,
      outputs,
      stdout: text("stdout"),
      stderr: text("stderr"),
      ...(result ? { result: result as Record<string, unknown> } : {}),
    };
  }

  async interrupt(): Promise<Json> {
    return (await this.request("interrupt_request", {}, { channel: "control" })).reply.content;
  }

  /** Asks the kernel to end, and closes this client. */
  async shutdown(restart = false, timeoutMs = 5_000): Promise<void> {
    await this.exchange(
      "control",
      "shutdown_request",
      { restart },
      { wantsReply: true, needsIdle: false, timeoutMs },
    ).catch(() => {});
    this.close();
  }

  /** Sends `ping` on the heartbeat channel. @returns the milliseconds until it came back. */
  async heartbeat(): Promise<number> {
    const socket = new Request({ linger: 0, receiveTimeout: 5_000 });
    socket.connect(address(this.connection, "hb"));
    const start = performance.now();
    await socket.send("ping");
    await socket.receive();
    socket.close();
    return performance.now() - start;
  }

  /** Hears every message on iopub. @returns a function that stops it. */
  onMessage(listener: (message: Message) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const socket of [...Object.values(this.sockets), this.iopub]) socket.close();
    for (const entry of this.pending.values()) entry.reject(new Error("The client was closed."));
    this.pending.clear();
  }

  private async exchange(
    channel: "shell" | "control",
    type: string,
    content: Json,
    options: {
      timeoutMs?: number;
      wantsReply: boolean;
      needsIdle?: boolean;
      subshell?: string;
      onMessage?: (message: Message) => void;
      onInput?: (message: Message) => void;
    },
  ): Promise<Pending> {
    const message = this.wire.message(type, content);
    if (options.subshell !== undefined) message.header.subshell_id = options.subshell;
    const id = message.header.msg_id;
    const entry = {
      outputs: [],
      idle: options.needsIdle === false,
      wantsReply: options.wantsReply,
      onMessage: options.onMessage,
      onInput: options.onInput,
    } as unknown as Pending;
    const finished = new Promise<void>((resolve, reject) => Object.assign(entry, { resolve, reject }));
    this.pending.set(id, entry);
    let timer: NodeJS.Timeout | undefined;
    if (options.timeoutMs !== undefined)
      timer = setTimeout(
        () =>
          entry.reject(
            new Error(
              `No ${entry.reply ? "idle status" : "reply"} to ${type} within ${options.timeoutMs} ms.`,
            ),
          ),
        options.timeoutMs,
      );
    try {
      await this.transmit(channel, this.wire.encode(message));
      await finished;
    } finally {
      clearTimeout(timer);
      this.pending.delete(id);
    }
    return entry;
  }

  private transmit(channel: "shell" | "control" | "stdin", frames: Buffer[]): Promise<void> {
    const before = this.sending.get(channel) ?? Promise.resolve();
    const sent = before.then(() => this.sockets[channel].send(frames));
    this.sending.set(
      channel,
      sent.catch(() => {}),
    );
    return sent;
  }

  private async receive(socket: Dealer | Subscriber, channel: string): Promise<void> {
    try {
      for await (const frames of socket) this.dispatch(channel, this.wire.decode(frames as Buffer[]));
    } catch (error) {
      if (!this.closed) for (const entry of this.pending.values()) entry.reject(error as Error);
    }
  }

  private dispatch(channel: string, message: Message): void {
    if (channel === "iopub") for (const listener of this.listeners) listener(message);
    const entry = this.pending.get((message.parentHeader as { msg_id?: string }).msg_id ?? "");
    if (!entry) return;
    if (channel === "stdin") entry.onInput?.(message);
    else if (channel === "iopub") {
      if (message.header.msg_type === "status") {
        if (message.content.execution_state === "idle") entry.idle = true;
      } else {
        entry.outputs.push(message);
        entry.onMessage?.(message);
      }
    } else if (message.header.msg_type.endsWith("_reply")) entry.reply = message;
    if (entry.idle && (entry.reply || !entry.wantsReply)) entry.resolve();
  }

  /** iopub has no handshake: ask until the answer's status is heard there too. */
  private async waitUntilHeard(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    let wait = 20;
    for (;;) {
      const heard = await this.request("kernel_info_request", {}, { timeoutMs: wait }).then(
        () => true,
        () => false,
      );
      if (heard) return;
      if (Date.now() > deadline)
        throw new Error(`The kernel did not answer kernel_info within ${timeoutMs} ms.`);
      wait = Math.min(wait * 2, 1_000);
    }
  }
}

const NOT_OUTPUT = new Set(["status", "execute_input"]);

function isOutput(message: Message): boolean {
  return !NOT_OUTPUT.has(message.header.msg_type);
}

function asOutput(message: Message): KernelOutput {
  return { type: message.header.msg_type, content: message.content, metadata: message.metadata };
}
