/** rosbridge: web pages and other programs on a graph, over WebSocket, by version 2 of the rosbridge protocol. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { RawData, WebSocket, WebSocketServer } from "ws";
import { type GraphClock, systemClock } from "../graph/clock.js";
import type { HostNode } from "../host.js";
import { type HostSelection, rosHost } from "../select.js";
import { Actions } from "./actions.js";
import { RosbridgeError } from "./errors.js";
import { Services } from "./services.js";
import { type BridgeLimits, BridgeProblem, type Request, Session, type StatusLevel } from "./session.js";
import { Topics } from "./topics.js";

export interface RosbridgeOptions extends HostSelection {
  /** Default 9090, rosbridge's; 0 for a free one. */
  readonly port?: number;
  /** Address to listen on; default 127.0.0.1. Whoever reaches it commands the robot: there is no password. */
  readonly address?: string;
  /**
   * Origins of web pages that may connect besides those of this machine, such as `https://robot.example`;
   * `"*"` for all. Programs, which send none, may always.
   */
  readonly origins?: readonly string[] | "*";
  readonly limits?: Partial<BridgeLimits>;
  /** Seconds that a service has to answer a client; default 5, as rosbridge's. */
  readonly serviceTimeout?: number;
  /** What throttles and time-outs go by; default the system's time. */
  readonly timer?: GraphClock;
}

const LIMITS: BridgeLimits = {
  clients: 32,
  messageSize: 16 << 20,
  entities: 256,
  backlog: 16 << 20,
};

/** A bridge that runs. */
export class Rosbridge implements AsyncDisposable {
  /** @internal */
  constructor(
    private readonly http: Server,
    private readonly sockets: WebSocketServer,
    private readonly node: HostNode,
    /** `ws://127.0.0.1:9090` */
    readonly url: string,
  ) {}

  /** Connected now. */
  get clients(): number {
    return this.sockets.clients.size;
  }

  /** Ends every connection and what the clients had in the graph. */
  async close(): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    await new Promise<void>((resolve) => this.http.close(() => resolve()));
    this.node.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** `ros.rosbridge`. */
export async function rosbridge(options: RosbridgeOptions = {}): Promise<Rosbridge> {
  const {
    port = 9090,
    address = "127.0.0.1",
    origins = [],
    serviceTimeout = 5,
    timer = systemClock,
  } = options;
  const limits = { ...LIMITS, ...options.limits };
  const host = await rosHost(options);
  const { WebSocketServer } = await import("ws");
  const http = createServer((_, response) => {
    response.writeHead(426, { "content-type": "text/plain" }).end("rosbridge speaks WebSocket only\n");
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.messageSize });
  http.on("upgrade", (request, socket, head) => {
    const refused = !allowed(request, origins) ? 403 : sockets.clients.size >= limits.clients ? 503 : 0;
    if (refused !== 0) {
      socket.end(
        `HTTP/1.1 ${refused} ${refused === 403 ? "Forbidden" : "Service Unavailable"}\r\nConnection: close\r\n\r\n`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => sockets.emit("connection", client, request));
  });
  await listen(http, port, address);
  const node = host.createNode("rosbridge_websocket", "/");
  sockets.on("connection", (socket: WebSocket) => {
    const client = {
      send: (text: string | Uint8Array) => {
        // Topics are dropped for a slow client; one that asks on and reads no answer is cut off.
        if (socket.bufferedAmount > 2 * limits.backlog) socket.terminate();
        else socket.send(text, () => {}); // one that has just gone needs no error
      },
      get backlog() {
        return socket.bufferedAmount;
      },
    };
    serve(socket, new Session(node, client, limits, timer, serviceTimeout));
  });
  const { port: taken } = http.address() as AddressInfo;
  return new Rosbridge(
    http,
    sockets,
    node,
    `ws://${address.includes(":") ? `[${address}]` : address}:${taken}`,
  );
}

/** Pages of this machine, those that are named, and programs that are no pages. */
function allowed(request: IncomingMessage, origins: readonly string[] | "*"): boolean {
  const { origin } = request.headers;
  if (origin === undefined || origins === "*" || origins.includes(origin)) return true;
  const { hostname } = URL.canParse(origin) ? new URL(origin) : { hostname: "" };
  return ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

function listen(http: Server, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "the port is taken" : error.message;
      reject(new RosbridgeError(`rosbridge can't listen on ${address}:${port}: ${why}`));
    });
    http.listen(port, address, resolve);
  });
}

interface Parts {
  readonly topics: Topics;
  readonly services: Services;
  readonly actions: Actions;
}

const LEVEL_NAMES: readonly unknown[] = ["none", "error", "warning", "info"];

/** What each operation of the protocol does. */
const OPERATIONS: Readonly<Record<string, (request: Request, parts: Parts, session: Session) => unknown>> = {
  advertise: (request, { topics }) => topics.advertise(request),
  unadvertise: (request, { topics }) => topics.unadvertise(request),
  publish: (request, { topics }) => topics.publish(request),
  subscribe: (request, { topics }) => topics.subscribe(request),
  unsubscribe: (request, { topics }) => topics.unsubscribe(request),
  call_service: (request, { services }) => services.call(request),
  advertise_service: (request, { services }) => services.advertise(request),
  unadvertise_service: (request, { services }) => services.unadvertise(request),
  service_response: (request, { services }) => services.respond(request),
  send_action_goal: (request, { actions }) => actions.send(request),
  cancel_action_goal: (request, { actions }) => actions.cancel(request),
  set_level: ({ level }, _, session) => {
    if (!LEVEL_NAMES.includes(level))
      throw new BridgeProblem(`set_level: level is one of ${LEVEL_NAMES.join(", ")}`);
    session.level = level as StatusLevel;
  },
};

function serve(socket: WebSocket, session: Session): void {
  const parts = {
    topics: new Topics(session),
    services: new Services(session),
    actions: new Actions(session),
  };
  socket.on("message", (data: RawData, isBinary: boolean) => void perform(data, isBinary, parts, session));
  socket.on("error", () => socket.terminate()); // a broken or oversized frame; "close" follows
  socket.on("close", () => {
    session.closed = true;
    parts.topics.dispose();
    parts.services.dispose();
    parts.actions.dispose();
  });
}

/** A request's problems go to its client, and never further. */
async function perform(data: RawData, isBinary: boolean, parts: Parts, session: Session): Promise<void> {
  let id: unknown;
  try {
    if (isBinary) throw new BridgeProblem("binary messages (BSON, CBOR) are not taken: send JSON");
    const request = parse(String(data));
    id = request.id;
    const operation = Object.hasOwn(OPERATIONS, request.op) ? OPERATIONS[request.op] : undefined;
    if (operation === undefined) {
      const known = Object.keys(OPERATIONS).join(", ");
      throw new BridgeProblem(`there is no operation "${request.op.slice(0, 80)}" here; there are ${known}`);
    }
    await operation(request, parts, session);
  } catch (error) {
    session.status("error", (error as Error).message, id);
  }
}

function parse(text: string): Request {
  let request: unknown;
  try {
    request = JSON.parse(text);
  } catch (error) {
    throw new BridgeProblem(`a message is no JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (typeof request !== "object" || request === null || typeof (request as Request).op !== "string")
    throw new BridgeProblem('a message must be an object with an "op"');
  return request as Request;
}
