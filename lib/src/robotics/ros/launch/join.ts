/** A launcher is on the graph of what it starts: it links the processes of nodes, and brings managed ones up. */
import { GraphHost } from "../graph/host.js";
import { bringTo, LifecycleClient } from "../lifecycle/manager.js";
import { createNode } from "../node/create.js";
import type { Node } from "../node/node.js";
import { rosHost } from "../select.js";
import type { LaunchOptions } from "./service.js";

export interface JoinedLaunch extends Required<Pick<LaunchOptions, "join" | "bringUp">> {
  /** Takes the launcher's own node off the graph. */
  leave(): Promise<void>;
}

/**
 * What a launch needs of the host that the environment names. In process, nodes meet through the launcher; with ROS 2 they
 * find each other.
 */
export async function joinLaunch(): Promise<JoinedLaunch> {
  const host = await rosHost();
  let own: Promise<Node> | undefined;
  return {
    join(child) {
      if (!(host instanceof GraphHost)) return () => {};
      const link = host.linkChild(child);
      return () => link.close();
    },
    async bringUp(name, state, signal) {
      own ??= createNode(`launch_${process.pid}`, { host, useGlobalArguments: false });
      const client = new LifecycleClient(await own, name);
      try {
        await bringTo(client, state, { signal });
      } finally {
        client.destroy();
      }
    },
    async leave() {
      await (await own)?.destroy();
    },
  };
}
