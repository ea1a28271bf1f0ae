/** Tensors of the library `mlsys`, where it is installed: what a crossed tensor becomes beside the learner's code. */
import type { TensorData } from "../wire/tensor.js";

type MakeTensor = (data: TensorData) => unknown;
type TensorFunction = (
  values: ArrayLike<number>,
  options: { shape: readonly number[]; dtype: string },
) => unknown;

/** `undefined` where there is no library: tensors stay plain data. */
export async function libraryTensors(): Promise<MakeTensor | undefined> {
  const name: string = "mlsys"; // not a literal: the grader builds and runs without the library
  try {
    const { tensor } = (await import(name)) as { tensor?: TensorFunction };
    if (typeof tensor !== "function") return undefined;
    return ({ data, shape, dtype }) => tensor(data as ArrayLike<number>, { shape, dtype });
  } catch {
    return undefined;
  }
}
