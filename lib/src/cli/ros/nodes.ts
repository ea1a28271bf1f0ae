/** A script with nodes runs in this process, joined to its launcher's graph where it has one. */
import type { RosHost } from "../../robotics/ros/host.js";
import { rosHost } from "../../robotics/ros/select.js";
import { runScript } from "../run/member.js";

/**
 * Runs it. Its errors are the process's own. A process that is joined to a graph stays as long as the script has nodes:
 * one that only waits for messages has nothing else that holds it.
 */
export async function runNodes(script: string, args: readonly string[]): Promise<void> {
  const host = process.send ? await rosHost() : null;
  const release = host && "linkToParent" in host ? joinGraph(host as RosHost & Linkable) : () => {};
  await runScript(script, args);
  release();
}

interface Linkable {
  linkToParent(): unknown;
}

/** @returns what is called when the script has run to its end: from then on nodes alone hold the process */
function joinGraph(host: RosHost & Linkable): () => void {
  host.linkToParent();
  let isRunning = true;
  const nodes = new Set<object>();
  const settle = (): void => {
    if (isRunning || nodes.size > 0) process.channel?.ref();
    else process.channel?.unref();
  };
  const create = host.createNode.bind(host);
  host.createNode = (name, namespace) => {
    const node = create(name, namespace);
    nodes.add(node);
    settle();
    const dispose = node.dispose.bind(node);
    node.dispose = () => {
      nodes.delete(node);
      dispose();
      settle();
    };
    return node;
  };
  return () => {
    isRunning = false;
    settle();
  };
}
