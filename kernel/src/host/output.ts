/**
 * What the worker sends while cells run, passed on to the front end as output of the request whose cell made it, also when
 * it comes after the cell's end.
 */
import type { RunDone, ToHost } from "../link/messages.js";
import type { Comms } from "./comms.js";
import { booleanField, type Request, stringField } from "./context.js";

const KEPT_RUNS = 1_000;

/** What output reaches of the cell that made it. */
export interface RunningCell {
  readonly count: number;
  /** The text of the cell's result, for the history. */
  result?: string;
  /** Set once the worker has the cell. */
  finish?: (done: RunDone) => void;
}

/** The parts of the executor that output is about. */
export interface OutputHost {
  running(run: number): RunningCell | undefined;
  /** Asks the reader, and gives the worker the answer. */
  ask(request: Request, question: Extract<ToHost, { type: "input" }>): void;
  packagesChanged(): void;
}

export class Output {
  private nextRun = 1;
  /** Requests of recent runs: output that comes late still goes to its cell. */
  private readonly requests = new Map<number, Request>();
  /** Comm messages that the worker has not dealt with yet, by run. */
  private readonly comming = new Map<number, { request: Request; finish(): void }>();
  private last: Request | undefined;

  constructor(
    private readonly host: OutputHost,
    private readonly comms: Comms,
  ) {}

  /** A number for the run of a request's cell. */
  track(request: Request): number {
    const run = this.nextRun++;
    this.requests.set(run, request);
    this.last = request;
    if (this.requests.size > KEPT_RUNS) this.requests.delete(this.requests.keys().next().value!);
    return run;
  }

  /** A number for the run of a comm message's listeners, and their end. */
  trackComm(request: Request): { run: number; done: Promise<void> } {
    const run = this.nextRun++;
    const done = new Promise<void>((finish) => this.comming.set(run, { request, finish }));
    return { run, done };
  }

  /** The worker is gone: nothing of it comes any more, and its comms are closed. */
  forget(): void {
    for (const { finish } of this.comming.values()) finish();
    this.comming.clear();
    for (const id of this.comms.clear()) this.last?.publish("comm_close", { comm_id: id, data: {} });
  }

  /** Text of no cell in particular goes to the last one. */
  stream(request: Request | undefined, name: "stdout" | "stderr", text: string): void {
    (request ?? this.last)?.publish("stream", { name, text });
  }

  receive(message: ToHost, buffers: Buffer[]): void {
    if (message.type === "comm-done") {
      this.comming.get(message.message)?.finish();
      this.comming.delete(message.message);
      return;
    }
    if (message.type === "done") {
      this.host.running(message.run)?.finish?.(message);
      return;
    }
    if (message.type === "packages") this.host.packagesChanged();
    const request = "run" in message ? this.requestOf(message.run) : this.last;
    if (request) this.passOn(request, message, buffers);
  }

  private passOn(request: Request, message: ToHost, buffers: Buffer[]): void {
    const silent = booleanField(request.content, "silent", false);
    switch (message.type) {
      case "stream":
        if (!silent)
          this.stream(request, message.name === "stderr" ? "stderr" : "stdout", String(message.text));
        break;
      case "display": {
        const { data, metadata, transient } = message;
        const type = message.update ? "update_display_data" : "display_data";
        if (!silent) request.publish(type, { data, metadata, transient });
        break;
      }
      case "clear":
        if (!silent) request.publish("clear_output", { wait: message.wait });
        break;
      case "result": {
        const { data, metadata } = message;
        const running = this.host.running(message.run);
        // A cell has one result, while it runs; only code that writes to the pipe by itself sends another.
        if (silent || !running) break;
        const { "text/plain": plain } = data;
        if (typeof plain === "string") running.result = plain;
        request.publish("execute_result", { execution_count: running.count, data, metadata });
        break;
      }
      case "error":
        request.publish("error", { ...message.error });
        break;
      case "input":
        this.host.ask(request, message);
        break;
      case "comm":
        this.comm(request, message, buffers);
        break;
      case "comm-unknown":
        this.comms.closed(message.commId);
        request.publish("comm_close", { comm_id: message.commId, data: {} });
        break;
    }
  }

  private comm(request: Request, message: Extract<ToHost, { type: "comm" }>, buffers: Buffer[]): void {
    const id = stringField(message.content, "comm_id");
    if (message.kind === "open") this.comms.opened(id, stringField(message.content, "target_name"));
    if (message.kind === "close") this.comms.closed(id);
    request.publish(`comm_${message.kind}`, message.content, { metadata: message.metadata, buffers });
  }

  private requestOf(run: number): Request | undefined {
    return this.requests.get(run) ?? this.comming.get(run)?.request ?? this.last;
  }
}
