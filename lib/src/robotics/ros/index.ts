/** ROS 2 from TypeScript: on a real ROS 2 graph, or on the in-process one. */

export * from "./graph/index.js";
export type * from "./host.js";
export type * from "./interfaces/types.js";
export { type HostKind, type HostSelection, rosHost } from "./select.js";
