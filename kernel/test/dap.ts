/** A client of the Debug Adapter Protocol over Jupyter's messages, for tests. */
import type { Json, Message } from "../src/protocol/message.js";
import { startKernel, type TestKernel } from "./kernel.js";

export interface DapEvent {
  event: string;
  body: Json;
}

/** What the stack looks like: `name line`, top first. */
export interface Frame {
  id: number;
  name: string;
  line: number;
  column: number;
  source: { name: string; path: string };
  presentationHint?: string;
}

export interface Variable {
  name: string;
  value: string;
  type: string;
  evaluateName?: string;
  variablesReference: number;
  indexedVariables?: number;
  presentationHint?: { lazy?: boolean };
}

export class DapClient {
  readonly events: DapEvent[] = [];
  private waiting: { name: string; resolve(body: Json): void }[] = [];
  private taken = 0;
  private seq = 1;

  private constructor(readonly kernel: TestKernel) {
    kernel.client.onMessage((message: Message) => {
      if (message.header.msg_type !== "debug_event") return;
      this.events.push(message.content as unknown as DapEvent);
      this.deliver();
    });
  }

  /** A kernel whose debugger is started, as JupyterLab starts it. */
  static async start(options: Parameters<typeof startKernel>[0] = {}): Promise<DapClient> {
    const dap = new DapClient(await startKernel(options));
    await dap.request("initialize", { clientID: "test", linesStartAt1: true, columnsStartAt1: true });
    await dap.request("attach");
    return dap;
  }

  /** A kernel whose debugger nobody has asked for. */
  static async idle(options: Parameters<typeof startKernel>[0] = {}): Promise<DapClient> {
    return new DapClient(await startKernel(options));
  }

  /** The response, whether it tells of success or not. */
  async respond(command: string, args: Json = {}): Promise<Json> {
    const { reply } = await this.kernel.client.request(
      "debug_request",
      { type: "request", seq: this.seq++, command, arguments: args },
      { channel: "control" },
    );
    return reply.content;
  }

  /** The body of a response that tells of success. */
  async request(command: string, args: Json = {}): Promise<Json> {
    const response = await this.respond(command, args);
    if (!response.success) throw new Error(`${command}: ${response.message}`);
    return response.body as Json;
  }

  /** The next event of that name that no one has waited for yet. Events before it are passed over. */
  next(name: string): Promise<Json> {
    const event = new Promise<Json>((resolve) => this.waiting.push({ name, resolve }));
    this.deliver();
    return event;
  }

  /** Events that came so far are not waited for any more. */
  passOver(): void {
    this.taken = this.events.length;
  }

  stopped(): Promise<Json> {
    return this.next("stopped");
  }

  /** Sets breakpoints in a cell, before or after it ran. */
  async breakAt(code: string, ...breakpoints: (number | Json)[]): Promise<Json[]> {
    const { sourcePath } = await this.request("dumpCell", { code });
    return this.breakIn(String(sourcePath), ...breakpoints);
  }

  async breakIn(path: string, ...breakpoints: (number | Json)[]): Promise<Json[]> {
    const body = await this.request("setBreakpoints", {
      source: { path },
      breakpoints: breakpoints.map((one) => (typeof one === "number" ? { line: one } : one)),
    });
    return body.breakpoints as Json[];
  }

  /** Waits for a cell to print something. */
  printed(text: string): Promise<void> {
    return new Promise((resolve) => {
      const off = this.kernel.client.onMessage(({ header, content }) => {
        if (header.msg_type !== "stream" || !String(content.text).includes(text)) return;
        off();
        resolve();
      });
    });
  }

  run(code: string) {
    return this.kernel.client.execute(code);
  }

  async stack(): Promise<Frame[]> {
    return (await this.request("stackTrace", { threadId: 1 })).stackFrames as Frame[];
  }

  /** `name:line` of each frame. */
  async where(): Promise<string[]> {
    return (await this.stack()).map(({ name, line }) => `${name}:${line}`);
  }

  /** Does a step and waits for the stop after it. */
  async step(command: "next" | "stepIn" | "stepOut"): Promise<string[]> {
    await this.request(command, { threadId: 1 });
    await this.stopped();
    return this.where();
  }

  async continue(): Promise<void> {
    await this.request("continue", { threadId: 1 });
  }

  async scopes(frame = 0): Promise<Record<string, number>> {
    const frames = await this.stack();
    const { scopes } = await this.request("scopes", { frameId: frames[frame]!.id });
    return Object.fromEntries(
      (scopes as { name: string; variablesReference: number }[]).map((scope) => [
        scope.name,
        scope.variablesReference,
      ]),
    );
  }

  async variables(reference: number, paging: Json = {}): Promise<Variable[]> {
    return (await this.request("variables", { variablesReference: reference, ...paging }))
      .variables as Variable[];
  }

  /** Variables of a scope as `name: value`. */
  async values(reference: number, paging: Json = {}): Promise<Record<string, string>> {
    return Object.fromEntries(
      (await this.variables(reference, paging)).map(({ name, value }) => [name, value]),
    );
  }

  async evaluate(expression: string, frameId?: number, context = "repl"): Promise<string> {
    const body = await this.request("evaluate", {
      expression,
      context,
      ...(frameId === undefined ? {} : { frameId }),
    });
    return String(body.result);
  }

  private deliver(): void {
    while (this.waiting.length > 0 && this.taken < this.events.length) {
      const { event, body } = this.events[this.taken++]!;
      if (event === this.waiting[0]!.name) this.waiting.shift()!.resolve(body);
    }
  }
}
