/** The in-process graph, by the suite that every host passes. */
import { graphHost } from "../../../src/robotics/ros/graph/index.js";
import { conformance } from "./conformance.js";

let network = 0;

conformance("one host", {
  async open() {
    const host = graphHost({ network: `one ${++network}` });
    return { near: host, far: host, end: () => host.shutdown() };
  },
});

conformance("two hosts of one process", {
  async open() {
    const near = graphHost({ network: `two ${++network}` });
    const far = graphHost({ network: `two ${network}` });
    return { near, far, end: () => Promise.all([near.shutdown(), far.shutdown()]).then(() => {}) };
  },
});
