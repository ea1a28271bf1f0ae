/** Hosts of linked domains, by the suite that every host passes: as if they were in one process. */
import { MessageChannel } from "node:worker_threads";
import { graphHost } from "../../../src/robotics/ros/graph/index.js";
import { conformance } from "./conformance.js";

let network = 0;
const alone = () => graphHost({ network: `linked ${++network}` });

conformance("two domains joined by a MessageChannel", {
  async open() {
    const near = alone();
    const far = alone();
    const { port1, port2 } = new MessageChannel();
    const links = [near.link(port1), far.link(port2)];
    await Promise.all(links.map(({ opened }) => opened));
    return { near, far, end: () => Promise.all([near.shutdown(), far.shutdown()]).then(() => {}) };
  },
});

conformance("two leaves of a tree, by way of a domain between them", {
  async open() {
    const [near, middle, far] = [alone(), alone(), alone()];
    for (const leaf of [near, far]) {
      const { port1, port2 } = new MessageChannel();
      const links = [leaf.link(port1), middle.link(port2)];
      await Promise.all(links.map(({ opened }) => opened));
    }
    const hosts = [near, middle, far];
    return { near, far, end: () => Promise.all(hosts.map((host) => host.shutdown())).then(() => {}) };
  },
});

conformance("two domains joined over TCP", {
  async open() {
    const near = alone();
    const far = alone();
    const address = await near.listen();
    await (await far.connect(address)).opened;
    return { near, far, end: () => Promise.all([near.shutdown(), far.shutdown()]).then(() => {}) };
  },
});
