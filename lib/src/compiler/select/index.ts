/** What a device can run, and how graphs are made to fit it. */
export {
  type Conversion,
  conversionCost,
  type KernelFormat,
  type KernelInfo,
  type Selection,
  type SelectionNode,
  type SelectionOptions,
  selectKernels,
} from "./kernels.js";
export { type ImageLayout, imageOffset, toImageLayout } from "./layouts.js";
export { limitConcat } from "./limits.js";
export { type PlacedGraph, placeOnDevices } from "./place.js";
