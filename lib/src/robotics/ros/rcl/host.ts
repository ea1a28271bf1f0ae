/** The host on a real ROS 2 graph: rclnodejs's addon over ROS 2's own client library (rcl). */
import { DisposedError, ValueError } from "../../../core/errors.js";
import type { RosHost } from "../host.js";
import { type Handle, type LoadedRos, loadRos } from "./addon.js";
import { type NodeGround, RclNode } from "./node.js";
import { TypeSupports } from "./types.js";

/** Logs go to `/rosout` and to stderr where a node sends them, and to no files under the user's home. */
const ARGUMENTS = ["mlsys", "--ros-args", "--disable-external-lib-logs"];

/** When listeners are told again of a change. */
const LATER_MS = [10, 50, 250, 1000, 5000];

const open = new Set<RclHost>();
let types: TypeSupports | undefined;

/**
 * A host of its own (a context of rcl's, a participant of DDS) on a ROS 2 graph.
 * @param options.domain 0 to 232: those of other domains are not met
 * @throws {RosError} if ROS 2 is not installed here, or does not load
 * @throws ValueError for a domain that there is not
 * @example
 * const host = await rclHost({ domain: 3 });
 * const node = host.createNode("talker", "/");
 */
export async function rclHost({ domain }: { readonly domain: number }): Promise<RosHost> {
  if (!Number.isInteger(domain) || domain < 0 || domain > 232)
    throw new ValueError(`ROS host: a domain is a whole number from 0 to 232, got ${domain}`);
  const ros = loadRos();
  types ??= new TypeSupports(ros);
  if (open.size === 0) process.once("exit", endAll);
  const host = new RclHost(domain, ros, types);
  open.add(host);
  return host;
}

/** The middleware's threads end before the process takes the ground from under them. */
function endAll(): void {
  for (const host of open) host.end();
}

class RclHost implements RosHost {
  readonly kind = "rclnodejs";
  private readonly context: Handle;
  private readonly nodes = new Set<RclNode>();
  private readonly listeners = new Set<() => void>();
  /** One watch for all nodes, through one of them: two would take each other's notices. */
  private watch: { readonly node: RclNode; readonly handle: Handle } | undefined;
  private readonly ground: NodeGround;
  private readonly later: NodeJS.Timeout[] = [];
  private isShut = false;

  constructor(
    readonly domain: number,
    private readonly ros: LoadedRos,
    types: TypeSupports,
  ) {
    const { addon } = ros;
    this.context = addon.createContext();
    addon.init(this.context, ARGUMENTS, BigInt(domain));
    this.ground = {
      ...{ addon, types, context: this.context },
      onGraphChange: (listener) => this.onGraphChange(listener),
      ending: (node) => this.ending(node),
    };
  }

  createNode(name: string, namespace: string): RclNode {
    if (this.isShut)
      throw new DisposedError(`ROS host: createNode(${JSON.stringify(name)}) after shutdown()`);
    const node = new RclNode(name, namespace, this.ground);
    this.nodes.add(node);
    return node;
  }

  async shutdown(): Promise<void> {
    this.end();
  }

  /** @internal */
  end(): void {
    if (this.isShut) return;
    this.isShut = true;
    for (const node of [...this.nodes]) node.dispose();
    for (const timer of this.later) clearTimeout(timer);
    this.context.release();
    open.delete(this);
    if (open.size === 0) process.off("exit", endAll);
  }

  private onGraphChange(listener: () => void): () => void {
    const own = (): void => listener(); // the same function may listen twice
    this.listeners.add(own);
    this.watch ??= this.watchThrough([...this.nodes][0]);
    return () => this.listeners.delete(own);
  }

  private watchThrough(node: RclNode): { node: RclNode; handle: Handle } {
    const handle = this.ros.addon.mlsys.watchGraph(this.context, node.handle, () => this.tellOfChange());
    return { node, handle };
  }

  private ending(node: RclNode): void {
    this.nodes.delete(node);
    if (this.watch?.node !== node) return;
    this.watch.handle.release();
    const [next] = this.nodes;
    this.watch = next && this.listeners.size > 0 ? this.watchThrough(next) : undefined;
    setImmediate(() => this.tellOfChange()); // a node has gone, and what came between the two watches is not known
  }

  /** Now, and a little later: ends are matched and unmatched shortly after the graph's notice of them. */
  private tellOfChange(): void {
    for (const timer of this.later.splice(0)) clearTimeout(timer);
    for (const delay of LATER_MS) this.later.push(setTimeout(() => this.tell(), delay).unref());
    this.tell();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
