/** The in-process graph: what carries messages where there is no ROS 2. */
export { type GraphClock, VirtualClock } from "./clock.js";
export { type GraphHost, type GraphLink, type GraphOptions, graphHost, type TcpOptions } from "./host.js";
