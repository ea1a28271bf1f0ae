/** mlsys: tensors, transformations, graphs and training, from which the chapters are built. */
export * from "./core/errors.js";
