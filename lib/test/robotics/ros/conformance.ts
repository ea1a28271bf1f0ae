/** What every host of ROS nodes does, whoever carries its messages: one suite for the in-process graph and for ROS 2. */
import { describe } from "vitest";
import type { Subject } from "./harness.js";
import { graphCases } from "./suite/graph.js";
import { qosCases } from "./suite/qos.js";
import { serviceCases } from "./suite/services.js";
import { topicCases } from "./suite/topics.js";

/**
 * Registers the suite.
 * @example conformance("the graph", { open: async () => ({ near: host, far: host, end: () => host.shutdown() }) });
 */
export function conformance(name: string, subject: Subject): void {
  describe(name, () => {
    topicCases(subject);
    qosCases(subject);
    serviceCases(subject);
    graphCases(subject);
  });
}
