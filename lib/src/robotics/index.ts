/** Robots: ROS 2 nodes, simulation, perception, planning, control and safety (book chapter 14). */

export * as control from "./control/index.js";
export * as plan from "./plan/index.js";
export * as ros from "./ros/index.js";
