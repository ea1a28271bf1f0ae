/** Which host carries a node's messages. */
import { ValueError } from "../../core/errors.js";
import { graphHost } from "./graph/host.js";
import type { RosHost } from "./host.js";

export type HostKind = RosHost["kind"];

/** A further host is one line; what it needs is loaded when it is asked for. */
const hosts: Record<HostKind, (domain: number) => Promise<RosHost>> = {
  graph: async (domain) => graphHost({ domain }),
  rclnodejs: async (domain) => (await import("./rcl/host.js")).rclHost({ domain }),
};

const shared = new Map<string, Promise<RosHost>>();

export interface HostSelection {
  /** A host, or its kind; default `MLSYS_ROS` of the environment, else `graph`. */
  readonly host?: RosHost | HostKind;
  /** Default `ROS_DOMAIN_ID` of the environment, else 0. */
  readonly domain?: number;
}

/**
 * The host for a node: all that ask for the same kind and domain share one.
 * @throws ValueError for a kind that there is not, or a host given with another domain than its own
 * @example const host = await robotics.ros.rosHost({ domain: 3 });
 */
export async function rosHost({ host, domain }: HostSelection = {}): Promise<RosHost> {
  if (typeof host === "object") {
    if (domain !== undefined && domain !== host.domain)
      throw new ValueError(`ROS host: it is of domain ${host.domain}, and domain ${domain} was asked for`);
    return host;
  }
  const kind = host ?? process.env.MLSYS_ROS ?? "graph";
  if (!Object.hasOwn(hosts, kind)) {
    const source = host === undefined ? "MLSYS_ROS" : "host";
    throw new ValueError(
      `ROS host: ${source} is one of ${Object.keys(hosts).join(", ")}, got ${JSON.stringify(kind)}`,
    );
  }
  const number = domain ?? domainOfEnvironment();
  const key = `${kind} ${number}`;
  let found = shared.get(key);
  if (!found) {
    found = open(kind as HostKind, number, () => shared.delete(key));
    shared.set(key, found);
    found.catch(() => shared.delete(key)); // the next one may have better luck
  }
  return found;
}

/** A shared host that was shut down makes room for a new one. */
async function open(kind: HostKind, domain: number, forget: () => void): Promise<RosHost> {
  const host = await hosts[kind](domain);
  const shutdown = host.shutdown.bind(host);
  host.shutdown = () => {
    forget();
    return shutdown();
  };
  return host;
}

function domainOfEnvironment(): number {
  const text = process.env.ROS_DOMAIN_ID ?? "";
  if (text === "") return 0;
  if (!/^\d+$/.test(text))
    throw new ValueError(`ROS host: ROS_DOMAIN_ID is a whole number, got ${JSON.stringify(text)}`);
  return Number(text);
}
