/** Creating managed nodes. */
import { createNode, type NodeOptions } from "../node/create.js";
import { type LifecycleCallbacks, LifecycleNode } from "./node.js";

/**
 * Creates a managed node: unconfigured, until it or another node configures and activates it.
 * @throws as `createNode`
 * @example
 * const camera = await ros.createLifecycleNode("camera", { onActivate: () => console.log("starts") });
 * await camera.configure();
 * await camera.activate();
 * await camera.destroy();
 * [camera.state] // ["active"]
 */
export async function createLifecycleNode(
  name: string,
  options: NodeOptions & LifecycleCallbacks = {},
): Promise<LifecycleNode> {
  return new LifecycleNode(await createNode(name, options), options);
}
