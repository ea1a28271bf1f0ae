/** Schedules: primitives with their checks, and the dependences that the checks look at. */
export type { CacheOptions, Packing } from "./cache-read.js";
export { type Dependence, type Direction, dependences } from "./dependence.js";
export type { LayoutOptions } from "./layout.js";
export { Schedule, type Step, scheduled } from "./schedule.js";
export { applyText, scheduleText } from "./text.js";
