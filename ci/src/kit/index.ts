/**
 * What a test cell imports: `import { check, student, expectClose } from "@mlsys/grader/kit"`.
 * In a notebook these work on the code of the same kernel; the grader gives the same names to the same test
 * source, bound to the learner's code in another process.
 */
import { besideHost, peerBeside } from "./beside.js";
import { createKit } from "./create.js";
import { libraryTensors } from "./library.js";

export { TensorData } from "../wire/tensor.js";
export type { Check, TestOptions } from "./check.js";
export type { CloseOptions } from "./close.js";
export {
  type ErrorPattern,
  expectClose,
  expectEqual,
  expectShape,
  expectThrows,
  expectTrue,
  fail,
} from "./expect.js";
export { type NestedNumbers, type Rng, rng } from "./rng.js";
export {
  type Handle,
  portable,
  read,
  type Student,
  StudentError,
  type StudentFunction,
  snapshot,
} from "./student.js";

/** The learner's code, and the tests of a cell. */
export const { student, check } = createKit(peerBeside(await libraryTensors()), besideHost);
