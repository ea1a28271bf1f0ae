/** How a process that another one starts learns what its hosts are linked with: by its environment. */
import { isMainThread } from "node:worker_threads";
import type { GraphHost } from "../host.js";

/**
 * The environment of a child process whose hosts of the in-process graph shall link with their parent by themselves, as
 * `rosHost` (and so `createNode`) makes them; the parent calls `linkChild`.
 * @example
 * // const child = fork("talker.mjs", { serialization: "advanced", env }); host.linkChild(child);
 * const env = { ...process.env, ...ros.LINK_TO_PARENT };
 */
export const LINK_TO_PARENT: Readonly<Record<string, string>> = { MLSYS_ROS_LINK: "parent" };

interface Told {
  readonly link: string;
  readonly secret: string | undefined;
}

let told: Told | null | undefined;

/** What this process was told; processes that it starts are not told the same by accident. */
function toldHere(): Told | null {
  if (told !== undefined) return told;
  const { MLSYS_ROS_LINK: link, MLSYS_ROS_SECRET: secret } = process.env;
  delete process.env.MLSYS_ROS_LINK;
  delete process.env.MLSYS_ROS_SECRET;
  told = link ? { link, secret } : null;
  return told;
}

/**
 * Links a host as the environment says: `MLSYS_ROS_LINK` is `parent` or a `tcp://` address, `MLSYS_ROS_SECRET` the latter's secret.
 * @throws ValueError for another address, or a parent that can't be spoken to
 */
export async function linkByEnvironment(host: GraphHost): Promise<void> {
  const here = toldHere();
  if (!here) return;
  if (here.link !== "parent") await host.connect(here.link, { secret: here.secret });
  else if (process.send || !isMainThread) host.linkToParent();
}
