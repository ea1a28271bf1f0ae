/** The suite of nodes over the in-process graph. */
import { graphHost } from "../../../../src/robotics/ros/index.js";
import { nodeSuite } from "./suite.js";

let count = 0;
nodeSuite("the in-process graph", async () => graphHost({ network: `node-suite-${count++}` }));
