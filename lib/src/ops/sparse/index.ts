/** Tensors that are no full blocks. */
export { SparseTensor, sparse, toSparse } from "./coo.js";
export { RaggedTensor, ragged } from "./ragged.js";
