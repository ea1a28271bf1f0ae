/** Order and place of execution: subgraphs by device, order of side effects. */
export {
  type ControlEdge,
  controlEdges,
  type Effect,
  effectGraph,
  type Hazard,
} from "./effects.js";
export { type Partition, partition, type Subgraph } from "./partition.js";
