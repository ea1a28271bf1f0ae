/** cuBLASLt and cuDNN on recording fakes: what they are asked for, in which order, and that all descriptors are given back. */
import { describe, expect, it } from "vitest";
import { BlasLt, CUBLASLT, checkedCublasLt } from "../../src/runtime/cuda/cublaslt.js";
import { type Convolution, CUDNN, checkedCudnn, Dnn } from "../../src/runtime/cuda/cudnn.js";
import { libraryCandidates } from "../../src/runtime/cuda/find.js";
import { Recording } from "../support/cuda/recording.js";

describe("cuBLASLt", () => {
  const product = {
    ...{ m: 3, n: 4, k: 5, compute: "float32", epilogue: "reluBias", bias: 4096 },
    a: { address: 256, dtype: "bfloat16", ld: 5 },
    b: { address: 512, dtype: "bfloat16", ld: 5, transposed: true },
    c: { address: 1024, dtype: "bfloat16", ld: 4 },
  } as const;
  const heuristic =
    (count: number) =>
    (...args: unknown[]) => {
      new Int32Array((args[9] as BigUint64Array).buffer)[0] = count;
      return undefined;
    };

  it("is asked for the transposed product, with bias and activation behind it", () => {
    const fake = new Recording(CUBLASLT, { cublasLtMatmulAlgoGetHeuristic: heuristic(1) });
    {
      using lt = new BlasLt(checkedCublasLt(fake.raw));
      lt.matmul(product, 77, { address: 8192, bytes: 1 << 20 });
    }
    expect(fake.alive.size).toBe(0);
    expect(fake.named("cublasLtMatmulDescCreate")[0].args.slice(1)).toEqual([68, 0]);
    // Column-major: (n×k as stored k×n) · (k×m) = n×m
    expect(fake.named("cublasLtMatrixLayoutCreate").map((call) => call.args.slice(1))).toEqual([
      [14, 5, 4, 5],
      [14, 5, 3, 5],
      [14, 4, 3, 4],
    ]);
    const attributes = fake
      .named("cublasLtMatmulDescSetAttribute")
      .map(({ args: [, attribute, value, bytes] }) => [attribute, (value as number[])[0], bytes]);
    expect(attributes).toEqual([
      [3, 1, 4],
      [4, 0, 4],
      [7, 6, 4],
      [8, 4096, 8],
    ]);
    const [{ args }] = fake.named("cublasLtMatmul");
    expect([args[3], args[5], args[8], args[10]]).toEqual([512, 256, 1024, 1024]);
    expect(args.slice(13)).toEqual([8192, 1 << 20, 77]);
  });

  it("describes batches, and gives everything back when there is no algorithm", () => {
    const fake = new Recording(CUBLASLT, { cublasLtMatmulAlgoGetHeuristic: heuristic(0) });
    using lt = new BlasLt(checkedCublasLt(fake.raw));
    const batch = { ...product, batch: 2, a: { ...product.a, stride: 15 } };
    expect(() => lt.matmul(batch, 0, { address: 0, bytes: 0 })).toThrow(
      /cuBLASLt has no algorithm for 3×5 by 5×4 with reluBias/,
    );
    expect([...fake.alive.values()]).toEqual(["cublasLtCreate"]);
    const set = fake
      .named("cublasLtMatrixLayoutSetAttribute")
      .map(({ args }) => [args[1], (args[2] as number[])[0]]);
    expect(set).toEqual([
      [5, 2],
      [6, 0],
      [5, 2],
      [6, 15],
      [5, 2],
      [6, 0],
    ]);
  });
});

describe("cuDNN", () => {
  const shapes: Convolution = {
    ...{ x: [2, 4, 9, 8], filter: [6, 2, 3, 3], y: [2, 6, 5, 4], dtype: "float32", groups: 2, tf32: false },
    ...{ padding: [1, 1], stride: [2, 2], dilation: [1, 1] },
  };
  const size = (...args: unknown[]) => {
    (args[6] as BigUint64Array)[0] = 640n;
    return undefined;
  };
  const answers = {
    cudnnGetConvolutionForwardWorkspaceSize: size,
    cudnnGetConvolutionBackwardDataWorkspaceSize: size,
    cudnnGetConvolutionBackwardFilterWorkspaceSize: size,
  };

  it("convolves forward and backward, with descriptors of its tensors and a workspace", () => {
    const fake = new Recording(CUDNN, answers);
    const asked: number[] = [];
    {
      using dnn = new Dnn(checkedCudnn(fake.raw));
      dnn.setStream(9);
      const workspace = (bytes: number, use: (address: number) => void) => {
        asked.push(bytes);
        use(333);
      };
      dnn.forward(shapes, 1, 2, 3, workspace);
      dnn.backwardData(shapes, 2, 4, 5, workspace);
      dnn.backwardFilter({ ...shapes, tf32: true }, 1, 4, 6, workspace);
    }
    expect(asked).toEqual([640, 640, 640]);
    expect(fake.alive.size).toBe(0);
    expect(fake.named("cudnnSetTensorNdDescriptor")[0].args.slice(1)).toEqual([
      0,
      4,
      [2, 4, 9, 8, 0, 0, 0, 0],
      [288, 72, 8, 1, 0, 0, 0, 0],
    ]);
    expect(fake.named("cudnnSetConvolutionNdDescriptor")[0].args.slice(1)).toEqual([
      2,
      [1, 1, 0, 0, 0, 0, 0, 0],
      [2, 2, 0, 0, 0, 0, 0, 0],
      [1, 1, 0, 0, 0, 0, 0, 0],
      1,
      0,
    ]);
    expect(fake.named("cudnnSetConvolutionGroupCount")[0].args[1]).toBe(2);
    expect(fake.named("cudnnSetConvolutionMathType").map((call) => call.args[1])).toEqual([3, 3, 1]);
    const operands = (name: keyof typeof CUDNN) => {
      const [{ args }] = fake.named(name);
      return [args[3], args[5], args[8], args[9], args[12]];
    };
    expect(operands("cudnnConvolutionForward")).toEqual([1, 2, 333, 640, 3]);
    expect(operands("cudnnConvolutionBackwardData")).toEqual([2, 4, 333, 640, 5]);
    expect(operands("cudnnConvolutionBackwardFilter")).toEqual([1, 4, 333, 640, 6]);
  });

  it("gives its descriptors back when a call fails", () => {
    const fake = new Recording(CUDNN, { ...answers, cudnnConvolutionForward: () => 3000 });
    using dnn = new Dnn(checkedCudnn(fake.raw));
    expect(() => dnn.forward(shapes, 1, 2, 3, (_, use) => use(0))).toThrow(
      /cudnnConvolutionForward failed with CUDNN_STATUS_NOT_SUPPORTED \(3000\)/,
    );
    expect([...fake.alive.values()]).toEqual(["cudnnCreate"]);
  });
});

describe("libraries", () => {
  it("are looked for by their names where no folder has them", () => {
    const names = libraryCandidates("nvrtc");
    expect(names.some((name) => /nvrtc/.test(name))).toBe(true);
    expect(libraryCandidates("cudnn").at(-1)).toMatch(/cudnn/);
  });
});
