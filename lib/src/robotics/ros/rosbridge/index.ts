/** The rosbridge protocol: web pages on a graph. What serves it is loaded by the first call. */
import type { Rosbridge, RosbridgeOptions } from "./server.js";

export { RosbridgeError } from "./errors.js";
export type { Rosbridge, RosbridgeOptions } from "./server.js";
export type { BridgeLimits } from "./session.js";

/**
 * Starts a bridge: roslib and other clients of rosbridge connect to its `url`.
 * @throws {RosbridgeError} if the port is taken
 * @example
 * const bridge = await ros.rosbridge({ port: 0 }); // without it: 9090
 * console.log(`in a web page: new ROSLIB.Ros({ url: "${bridge.url}" })`);
 * await bridge.close();
 */
export async function rosbridge(options: RosbridgeOptions = {}): Promise<Rosbridge> {
  return (await import("./server.js")).rosbridge(options);
}
