/** The rosbridge protocol: web pages on a graph. */
export { Rosbridge, RosbridgeError, type RosbridgeOptions, rosbridge } from "./server.js";
export type { BridgeLimits } from "./session.js";
