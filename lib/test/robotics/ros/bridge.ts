/** What the bridge's tests stand on: a graph of their own, a bridge on it, and bare clients. All ends with the test. */
import { afterEach, beforeEach } from "vitest";
import { WebSocket } from "ws";
import { type GraphHost, graphHost } from "../../../src/robotics/ros/graph/host.js";
import type { HostNode } from "../../../src/robotics/ros/host.js";
import { DEFAULT_QOS } from "../../../src/robotics/ros/offered-qos.js";
import {
  type Rosbridge,
  type RosbridgeOptions,
  rosbridge,
} from "../../../src/robotics/ros/rosbridge/server.js";

export const options = { qos: { ...DEFAULT_QOS, depth: 1000 } };

export const turn = () => new Promise((resolve) => setImmediate(resolve));
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

let networks = 0;

/** Fresh for each test of the file that calls it. */
export class Ground {
  host!: GraphHost;
  /** A node of the graph, `/robot`. */
  node!: HostNode;
  private readonly opened: { close(): unknown }[] = [];

  constructor() {
    beforeEach(() => {
      this.host = graphHost({ network: `bridge ${networks++}` });
      this.node = this.host.createNode("robot", "/");
    });
    afterEach(async () => {
      for (const one of this.opened.splice(0).reverse()) await one.close();
      await this.host.shutdown();
    });
  }

  /** Closed after the test, the last first. */
  keep<T extends { close(): unknown }>(one: T): T {
    this.opened.push(one);
    return one;
  }

  async bridge(given: RosbridgeOptions = {}): Promise<Rosbridge> {
    return this.keep(await rosbridge({ host: this.host, port: 0, ...given }));
  }

  /** A bare WebSocket that keeps what it hears. */
  async client(bridge: Rosbridge, origin?: string) {
    const socket = new WebSocket(bridge.url, origin === undefined ? {} : { origin });
    const heard: Record<string, unknown>[] = [];
    let closed = false;
    socket.on("message", (data) => heard.push(JSON.parse(String(data))));
    socket.on("close", () => {
      closed = true;
    });
    this.keep({ close: () => socket.terminate() });
    await new Promise<void>((resolve, reject) => {
      socket.on("open", () => resolve());
      socket.on("error", reject);
    });
    return {
      heard,
      isClosed: () => closed,
      send: (message: unknown) =>
        socket.send(typeof message === "string" ? message : JSON.stringify(message)),
      /** Sends, and waits for one more message. */
      async ask(message: unknown) {
        const before = heard.length;
        this.send(message);
        await until(() => heard.length > before);
        return heard[before];
      },
      socket,
    };
  }
}
