/** ROS 2 from TypeScript: on a real ROS 2 graph, or on the in-process one. */
export type * from "./host.js";
export type * from "./interfaces/types.js";
export type * from "./launch/description.js";
export { launch } from "./launch/description.js";
