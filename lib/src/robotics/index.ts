/** Robots: ROS 2 nodes, simulation, perception, planning, control and safety (book chapter 14). */
export * as caseStudy from "./case-study/index.js";
export * as control from "./control/index.js";
export * as display from "./display/index.js";
export * as perceive from "./perceive/index.js";
export * as plan from "./plan/index.js";
export * as ros from "./ros/index.js";
export * as safety from "./safety/index.js";
export * as simulate from "./simulate/index.js";
export * as solve from "./solve/index.js";
