/** The kernel: routes each message to its handler, and keeps the order that the protocol asks for. */
import { appendFileSync } from "node:fs";
import { warmTranspiler } from "../compile/cell.js";
import { DebugService } from "../debug/service.js";
import type { ConnectionInfo } from "../protocol/connection.js";
import { type Json, type Message, Wire } from "../protocol/message.js";
import { SessionTypes } from "../types/session-types.js";
import { Channels, type RequestChannel } from "./channels.js";
import { Comms } from "./comms.js";
import type { Request, Services } from "./context.js";
import { Executor } from "./executor.js";
import { HANDLERS } from "./handlers/index.js";
import { History, historyFile } from "./history.js";
import { Questions } from "./questions.js";
import { unknownShell } from "./shells.js";

/** The language service's warm-up waits this long, so that a first trivial cell has the processor to itself. */
const WARM_AFTER_MS = 150;

export class Kernel implements Services {
  readonly types: SessionTypes;
  readonly history: History;
  readonly comms = new Comms();
  readonly debug: DebugService;
  readonly executor: Executor;
  private readonly wire: Wire;
  private readonly channels: Channels;
  private readonly questions: Questions;

  constructor(readonly connection: ConnectionInfo) {
    this.wire = new Wire(connection.key);
    this.channels = new Channels(this.wire, {
      request: (channel, message) => this.receive(channel, message),
      log: (line) => this.log(line),
    });
    this.questions = new Questions(
      (request, content) => {
        const question = this.wire.message("input_request", content, request.message);
        this.channels.send("stdin", question);
        return question.header.msg_id;
      },
      (line) => this.log(line),
    );
    this.types = new SessionTypes(process.cwd(), (line) => this.log(line));
    this.history = new History(historyFile(), (line) => this.log(line));
    this.debug = new DebugService({
      publish: (type, content) => this.publish(type, content),
      log: (line) => this.log(line),
      declare: (text) => this.types.commit("debugger", text),
    });
    this.executor = new Executor(
      {
        status: (request, state) => this.status(request, state),
        reply: (request, content) => this.reply(request, content),
        ask: (request, prompt, password) => this.questions.ask(request, prompt, password),
        dismiss: () => this.questions.dismiss(),
        log: (line) => this.log(line),
        debug: this.debug,
      },
      this.types,
      this.history,
      this.comms,
    );
  }

  async start(): Promise<void> {
    await this.channels.bind(this.connection);
    this.publish("status", { execution_state: "starting" });
    process.on("SIGINT", () => void this.interrupt());
    process.on("SIGTERM", () => void this.shutdown(false));
    // Whoever starts kernels by the hundred has no use for what most of them won't need.
    if (process.env.MLSYS_WARM !== "off") setTimeout(() => this.warm(), WARM_AFTER_MS).unref();
  }

  async interrupt(): Promise<void> {
    this.questions.dismiss();
    await this.executor.interrupt();
  }

  async shutdown(restart: boolean): Promise<void> {
    this.executor.close();
    // The reply is queued by the handler's caller; let it go out first.
    await new Promise((resolve) => setImmediate(resolve));
    this.publish("shutdown_reply", { status: "ok", restart });
    await this.channels.close();
    process.exit(0);
  }

  /** The kernel's own log: stderr, which Jupyter shows in its terminal, and `MLSYS_KERNEL_LOG` if set. */
  log(line: string): void {
    const text = `[mlsys-kernel] ${line}\n`;
    process.stderr.write(text);
    if (process.env.MLSYS_KERNEL_LOG) appendFileSync(process.env.MLSYS_KERNEL_LOG, text);
  }

  private warm(): void {
    if (this.executor.typeCheck) this.types.warm();
    void warmTranspiler().catch((error) => this.log(`transpiler: ${String(error)}`));
    void this.executor.prepareInterrupt();
  }

  private receive(channel: RequestChannel, message: Message): void {
    const type = message.header.msg_type;
    if (channel === "stdin") {
      if (type === "input_reply") this.questions.answer(message);
      else this.log(`no handler for ${type} on stdin`);
      return;
    }
    const request = this.request(channel, message);
    if (channel === "shell" && !this.executor.shells.of(message) && type.endsWith("_request")) {
      this.status(request, "busy");
      this.reply(request, { status: "error", ...unknownShell(message.header.subshell_id) });
      this.status(request, "idle");
      return;
    }
    if (type === "execute_request" && channel === "shell") this.executor.enqueue(request);
    else void this.handle(request, type);
  }

  private async handle(request: Request, type: string): Promise<void> {
    const handler = Object.hasOwn(HANDLERS, type) ? HANDLERS[type] : undefined;
    if (!handler) {
      this.log(`no handler for ${type} on ${request.channel}`);
      return;
    }
    if (type === "interrupt_request") this.questions.dismiss();
    this.status(request, "busy");
    try {
      const content = await handler(request, this);
      if (content) this.reply(request, content);
    } catch (error) {
      this.log(`${type} failed: ${(error as Error).stack}`);
      if (type.endsWith("_request")) {
        const { name, message } = error as Error;
        this.reply(request, {
          status: "error",
          ename: name,
          evalue: message,
          traceback: [`${name}: ${message}`],
        });
      }
    }
    this.status(request, "idle");
  }

  private request(channel: RequestChannel, message: Message): Request {
    return {
      channel,
      message,
      content: message.content,
      publish: (type, content, extra) => this.publish(type, content, message, extra),
    };
  }

  private status(request: Request, state: "busy" | "idle"): void {
    this.publish("status", { execution_state: state }, request.message);
    // Front ends show the last status: a cell that still runs is busy, whatever was answered beside it.
    const { current } = this.executor;
    if (state !== "idle" || !current) return;
    // JupyterLab's debugger lists the variables anew with each message about a cell: this one must not be about one.
    const about = request.message.header.msg_type === "debug_request" ? undefined : current.message;
    this.publish("status", { execution_state: "busy" }, about);
  }

  private reply(request: Request, content: Json): void {
    const type = request.message.header.msg_type.replace(/_request$/, "_reply");
    this.channels.send(request.channel, this.wire.message(type, content, request.message));
  }

  private publish(
    type: string,
    content: Json,
    parent?: Message,
    extra: { metadata?: Json; buffers?: Buffer[] } = {},
  ): void {
    this.channels.publish(this.wire.message(type, content, parent, extra), type);
  }
}
