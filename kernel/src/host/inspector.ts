/** A client of V8's inspector protocol over the worker's WebSocket: what the host needs to interrupt and to debug. */
import type WebSocket from "ws";

type Reply = {
  id?: number;
  result?: unknown;
  error?: { message: string };
  method?: string;
  params?: unknown;
};

/** Id of the question whose answer nobody waits for. */
const PROMPT = 0;
const MAX_PROMPTS = 4;

export class InspectorClient {
  /** Called with each event of the domains that are enabled. */
  onEvent: ((method: string, params: unknown) => void) | undefined;
  private next = 1;
  private prompts = 0;
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();

  private constructor(private readonly socket: WebSocket) {
    socket.on("message", (data: Buffer) => this.receive(JSON.parse(String(data)) as Reply));
    socket.on("close", () => this.fail(new Error("The worker closed its inspector.")));
    socket.on("error", (error: Error) => this.fail(error));
  }

  static async connect(url: string): Promise<InspectorClient> {
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    const client = new InspectorClient(socket);
    // A process that ends waits for its debuggers to leave: this one does.
    void client.post("NodeRuntime.notifyWhenWaitingForDisconnect", { enabled: true }).catch(() => {});
    return client;
  }

  post(method: string, params: object = {}): Promise<unknown> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  close(): void {
    this.socket.terminate();
  }

  private receive(reply: Reply): void {
    if (reply.method === "NodeRuntime.waitingForDisconnect") this.close();
    if (reply.id === PROMPT) this.prompts--;
    if (reply.id === undefined) {
      if (reply.method !== undefined) this.onEvent?.(reply.method, reply.params);
      if (this.onEvent) this.prompt();
      return;
    }
    const waiter = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (reply.error) waiter?.reject(new Error(reply.error.message));
    else waiter?.resolve(reply.result);
    if (this.onEvent && this.waiting.size > 0) this.prompt();
  }

  /**
   * Node sends a small message only once the one before is acknowledged, and the system acknowledges 40 ms late unless
   * something is sent: so something is, after each event, and while an answer is still to come.
   */
  private prompt(): void {
    if (this.prompts >= MAX_PROMPTS) return;
    this.prompts++;
    this.socket.send(JSON.stringify({ id: PROMPT, method: "Runtime.getIsolateId" }));
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
