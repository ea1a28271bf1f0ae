/** Robots: ROS 2 nodes, simulation, perception, planning, control and safety (book chapter 14). */

export * as perceive from "./perceive/index.js";
export * as ros from "./ros/index.js";
export * as solve from "./solve/index.js";
