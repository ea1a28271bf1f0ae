/** How members' values become one: MPI's and NCCL's names. `mean` is a sum, divided by the number of members at the end. */
export const REDUCE_OPS = ["sum", "mean", "product", "min", "max"] as const;

export type ReduceOp = (typeof REDUCE_OPS)[number];

/** What two elements become: all but `mean`, which is `sum` while it is under way. */
export type CombineOp = Exclude<ReduceOp, "mean">;
