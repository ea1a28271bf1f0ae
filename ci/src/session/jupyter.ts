/**
 * A kernel of a Jupyter server, own or remote, through the client that JupyterLab itself uses. Slower than zeromq, and
 * the kernel runs unfenced, as whoever runs the server: for compatibility, not for other people's code.
 */
import { KernelAPI, KernelConnection, type KernelMessage, ServerConnection } from "@jupyterlab/services";
import { GraderError, messageOf } from "../errors.js";
import type { ServerAddress } from "./jupyter-server.js";
import { boundedSocket, quietConsole } from "./jupyter-socket.js";
import { onTheWayOut } from "./running.js";
import { type Budget, type Execution, ExecutionTimeout, KernelDied, type KernelSession } from "./session.js";

export interface JupyterOptions {
  server: ServerAddress;
  /** Name of the kernel's spec on the server. */
  kernelName?: string;
  /** Folder that the kernel starts in, from the server's root. */
  path?: string;
}

const START_MS = 60_000;
const SHUTDOWN_MS = 10_000;
const TEXT_LIMIT = 20_000;
/** Above the text of one exchange of frames. */
const FRAMES_BYTES = 128 * 1024 * 1024;
/** What a server writes to stderr in place of the outputs that it drops. */
const DROPPED = /IOPub (data|message) rate exceeded/;

export class JupyterSession implements KernelSession {
  private readonly settings: ServerConnection.ISettings;
  private kernel: KernelConnection | undefined;
  /** Rejects when the kernel ends or can't be reached any more. */
  private death: Promise<never> = new Promise(() => {});

  constructor(private readonly options: JupyterOptions) {
    const { url, token } = options.server;
    const baseUrl = url.endsWith("/") ? url : `${url}/`;
    this.settings = ServerConnection.makeSettings({
      baseUrl,
      wsUrl: baseUrl.replace(/^http/, "ws"),
      token,
      appendToken: token !== "",
      WebSocket: boundedSocket(2 * FRAMES_BYTES),
    });
  }

  async start(): Promise<void> {
    onTheWayOut.check();
    onTheWayOut.add(this);
    quietConsole();
    const { kernelName = "mlsys", path = "" } = this.options;
    // The package's type leaves out the folder, which the server's interface has.
    const wanted = { name: kernelName, path };
    try {
      const model = await within(START_MS, "the server did not start a kernel", () =>
        KernelAPI.startNew(wanted, this.settings),
      );
      const kernel = new OneKernel({ model, serverSettings: this.settings, handleComms: false });
      this.kernel = kernel;
      this.death = deathOf(kernel);
      await within(START_MS, "the kernel did not answer", () => Promise.race([kernel.info, this.death]));
    } catch (error) {
      await this.shutdown();
      throw new GraderError(
        `the kernel "${kernelName}" did not start on ${this.settings.baseUrl}: ${reasonOf(error)}`,
      );
    }
  }

  async execute(code: string, { wallMs, outputBytes, outputMessages }: Budget): Promise<Execution> {
    const { kernel } = this;
    if (!kernel || kernel.isDisposed) throw new KernelDied("the kernel is not running");
    const limit = Math.max(outputBytes, FRAMES_BYTES);
    const execution: Execution = { status: "ok", displays: [], text: "" };
    let bytes = 0;
    let messages = 0;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new ExecutionTimeout(`ran longer than ${wallMs / 1000} s`)), wallMs);
    });
    // The package's default asks for input, which nobody would answer, and would stop what was sent after an error.
    const request = { code, silent: false, store_history: false, allow_stdin: false, stop_on_error: false };
    const future = kernel.requestExecute(request);
    const done = future.done;
    done.catch(() => {}); // a kernel that dies cancels it; the race is decided by then
    const flood = new Promise<never>((_, reject) => {
      future.onIOPub = (message) => {
        const { msg_type } = message.header;
        if (msg_type === "status" || msg_type === "execute_input") return;
        const { content } = message as KernelMessage.IDisplayDataMsg | KernelMessage.IStreamMsg;
        const dropped = take(content, msg_type, execution);
        bytes += sizeOf(content);
        if (bytes > limit) reject(new KernelDied(`wrote more than ${limit} bytes`, "limit"));
        else if (++messages > outputMessages)
          reject(new KernelDied(`wrote more than ${outputMessages} messages`, "limit"));
        else if (dropped)
          reject(new KernelDied("wrote more than the Jupyter server passes on (limit_rate)", "limit"));
      };
    });
    try {
      const reply = await Promise.race([done, late, flood, this.death]);
      return concluded(execution, reply.content);
    } finally {
      clearTimeout(timer);
      future.onIOPub = () => {};
    }
  }

  async interrupt(timeoutMs: number): Promise<boolean> {
    const { kernel } = this;
    if (!kernel || kernel.isDisposed) return false;
    try {
      await within(timeoutMs, "still busy", async () => {
        await kernel.interrupt();
        // It answers in order: when it has answered this, it has left the cell.
        await Promise.race([kernel.requestKernelInfo(), this.death]);
      });
      return true;
    } catch {
      return false;
    }
  }

  /** Belongs to whoever runs the server. */
  cpuMs(): undefined {
    return undefined;
  }

  /** A new kernel, not the server's restart: that one keeps a socket which may be lost in between. */
  async restart(): Promise<void> {
    await this.shutdown();
    await this.start();
  }

  async shutdown(): Promise<void> {
    const { kernel } = this;
    this.kernel = undefined;
    this.death = new Promise(() => {});
    if (kernel) {
      const { id } = kernel;
      if (!kernel.isDisposed) kernel.dispose();
      await within(SHUTDOWN_MS, "still there", () => KernelAPI.shutdownKernel(id, this.settings)).catch(
        () => {}, // it is gone, or its server is
      );
    }
    onTheWayOut.delete(this);
  }

  /** A kernel of our own server ends with it. */
  killNow(): void {}
}

/**
 * A server starts a kernel that died anew, and the package would go on with that empty one. Here it is given up, so
 * nothing is to be reconnected (and nobody would hear of it if that failed).
 */
class OneKernel extends KernelConnection {
  override async reconnect(): Promise<void> {}
}

/** Keeps what the judge may want. @returns whether the server says that it dropped outputs */
function take(
  content: KernelMessage.IDisplayDataMsg["content"] | KernelMessage.IStreamMsg["content"],
  type: string,
  execution: Execution,
): boolean {
  if (type === "display_data") {
    const { data } = content as KernelMessage.IDisplayDataMsg["content"];
    execution.displays.push(data as Record<string, unknown>);
  } else if (type === "stream") {
    const { text } = content as KernelMessage.IStreamMsg["content"];
    if (execution.text.length < TEXT_LIMIT)
      execution.text = (execution.text + String(text)).slice(0, TEXT_LIMIT);
    return DROPPED.test(String(text).slice(0, 200));
  }
  return false;
}

function concluded(execution: Execution, content: KernelMessage.IExecuteReplyMsg["content"]): Execution {
  const { status, ename, evalue, traceback } = content as {
    status: string;
    ename?: unknown;
    evalue?: unknown;
    traceback?: unknown;
  };
  // Some kernels shorten the standard's "aborted".
  if (status === "aborted" || status === "abort") execution.status = "aborted";
  else if (status !== "ok") {
    execution.status = "error";
    const lines = Array.isArray(traceback) ? traceback.map(String) : [];
    execution.error = {
      name: String(ename ?? "Error"),
      message: String(evalue ?? ""),
      traceback: lines,
    };
  }
  return execution;
}

function deathOf(kernel: KernelConnection): Promise<never> {
  const promise = new Promise<never>((_, reject) => {
    kernel.statusChanged.connect((_sender, status) => {
      if (status !== "dead" && status !== "autorestarting") return;
      reject(new KernelDied("the kernel's process ended"));
      // Not while it tells its listeners.
      queueMicrotask(() => !kernel.isDisposed && kernel.dispose());
    });
    kernel.connectionStatusChanged.connect((_sender, status) => {
      if (status === "disconnected") reject(new KernelDied("the connection to the Jupyter server is lost"));
    });
  });
  promise.catch(() => {}); // nobody may be waiting
  return promise;
}

async function within<T>(ms: number, otherwise: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What to do about it, where that is known. */
function reasonOf(error: unknown): string {
  if (error instanceof ServerConnection.ResponseError) {
    const { status } = error.response;
    if (status === 401 || status === 403) return `the server refuses the token (${status}): see --token`;
    return `the server answers ${status}: ${messageOf(error)}`;
  }
  const cause = (error as { cause?: unknown }).cause;
  const detail = cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`;
  return error instanceof ServerConnection.NetworkError ? `it can't be reached (${detail})` : detail;
}

function sizeOf(content: object): number {
  const { text } = content as { text?: unknown };
  return typeof text === "string" ? text.length : JSON.stringify(content).length;
}
