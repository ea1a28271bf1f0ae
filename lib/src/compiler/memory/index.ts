/** Memory of graphs: buffers, plans, checks. Loading this gives the executor its planner. */
import "./arena.js";

export { allocators } from "./allocators/index.js";
export type { Attempt } from "./allocators/problem.js";
export { type Ancestors, ancestorsOf, type NodeOrder } from "./ancestors.js";
export { type BudgetOptions, type Fitted, fitMemory } from "./budget.js";
export { type Buffer, type BufferKind, type BufferOptions, buffersOf } from "./buffers.js";
export { checkPlan } from "./check.js";
export { type MemoryPlan, type PlannedBuffer, type PlanOptions, planMemory } from "./plan.js";
export { compareAllocators, type ReuseRow } from "./report.js";
