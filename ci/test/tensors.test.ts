/** Tensors of the library: real ones beside the learner's code, plain data in the test, nothing lost between. */
import { beforeAll, describe, expect, it } from "vitest";
import { besideHost, peerBeside } from "../src/kit/beside.js";
import { createKit } from "../src/kit/create.js";
import { expectClose, expectEqual } from "../src/kit/expect.js";
import { libraryTensors } from "../src/kit/library.js";
import type { Student } from "../src/kit/student.js";
import { TensorData, type TensorLike } from "../src/wire/tensor.js";

interface Library {
  tensor(
    data: unknown,
    options?: { shape?: number[]; dtype?: string },
  ): TensorLike & { transpose(): TensorLike };
  Tensor: new () => TensorLike;
}

describe("tensors of mlsys", () => {
  let library: Library;
  let student: Student;
  beforeAll(async () => {
    const name: string = "mlsys"; // not a literal: the grader builds without the library
    library = (await import(name)) as Library;
    student = createKit(peerBeside(await libraryTensors()), besideHost).student;
    Object.assign(globalThis, {
      isTensor: (x: unknown) => x instanceof library.Tensor,
      echo: (x: unknown) => x,
      flip: (x: ReturnType<Library["tensor"]>) => x.transpose(),
    });
  });

  it("are real in the student's function and data in the test", async () => {
    expect(await student.isTensor(library.tensor([[1, 2, 3]]))).toBe(true);
    expect(await student.echo(library.tensor([1]))).toBeInstanceOf(TensorData);
  });

  it.each(["float64", "float32", "int32", "int16", "int8", "uint8", "bool"])(
    "keep dtype %s, shape and elements",
    async (dtype) => {
      const given = library.tensor([[1, 0, 1], [0, 1, 1]], { dtype }); // biome-ignore format: short
      const back = await student.echo<TensorData>(given);
      expectEqual(back, given);
      expect(back.dtype).toBe(dtype);
      expect(back.shape).toEqual([2, 3]);
    },
  );

  it("views arrive in row-major order", async () => {
    const back = await student.flip<TensorData>(library.tensor([[1, 2, 3], [4, 5, 6]])); // biome-ignore format: short
    expectClose(back, [[1, 4], [2, 5], [3, 6]], { dtype: "float32" }); // biome-ignore format: short
  });
});
