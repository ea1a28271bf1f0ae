/**
 * Schedules of a pipeline as plain data: which device runs which part of the model on which micro-batch, in which order.
 * Nothing here knows of tensors, so that a simulator runs the same schedules. (Book, chapter 9: pipeline parallelism,
 * F and B of stage i and micro-batch j.)
 */

/** One piece of work of a device. */
export interface Action {
  readonly phase: "forward" | "backward";
  /** The part of the model, from 0; stage s stands on device s mod `ranks`. */
  readonly stage: number;
  readonly microBatch: number;
}

export interface ScheduleShape {
  /** Devices. */
  readonly ranks: number;
  /** Parts that the batch is cut into. */
  readonly microBatches: number;
  /** Stages of each device. Above 1 the model is cut into `ranks`·`chunks` stages, dealt out in turn. */
  readonly chunks: number;
}

export interface Schedule extends ScheduleShape {
  readonly name: string;
  /** What each device does, in order. */
  readonly actions: readonly (readonly Action[])[];
}

/** A way to order the work. A new one is a file with such a row, and its line in the registry. */
export interface ScheduleRule {
  readonly name: string;
  /** What it does in a line, and where it is from. */
  readonly about: string;
  /** Why it can't do this shape, if it can't. */
  readonly unfit?: (shape: ScheduleShape) => string | undefined;
  readonly build: (shape: ScheduleShape) => Action[][];
  /** The part of the time in which a device waits, as published: all stages alike, no time for transfers. */
  readonly bubble: (shape: ScheduleShape) => number;
  /** Micro-batches that have gone forward and not yet back, at most, on a device: summed over its stages, as published. */
  readonly live: (shape: ScheduleShape, rank: number) => number;
}

export const forward = (stage: number, microBatch: number): Action => ({
  phase: "forward",
  stage,
  microBatch,
});

export const backward = (stage: number, microBatch: number): Action => ({
  phase: "backward",
  stage,
  microBatch,
});

/**
 * "F2.0": forward of stage 2, micro-batch 0, as the book writes F₂,₀.
 * @example distributed.actionName({ phase: "backward", stage: 1, microBatch: 3 }) // "B1.3"
 */
export const nameOf = ({ phase, stage, microBatch }: Action): string =>
  `${phase === "forward" ? "F" : "B"}${stage}.${microBatch}`;

/** [0, 1, … n − 1] */
export const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Schedules whose devices have one stage each. */
export const oneStageEach = ({ chunks }: ScheduleShape): string | undefined =>
  chunks === 1 ? undefined : `it has one stage on each device, not ${chunks}`;
