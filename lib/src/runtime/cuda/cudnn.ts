/** cuDNN 9: two-dimensional convolution forward and backward by its descriptor API, layout NCHW. Optional. */
import { CUDNN_CODES } from "./errors.js";
import { openLibrary } from "./find.js";
import { checkedLibrary, type Library, Out, type RawLibrary } from "./table.js";

const CONVOLUTION = [
  "handle",
  "host",
  "handle",
  "handle",
  "handle",
  "handle",
  "handle",
  "i32",
  "handle",
  "size",
  "host",
  "handle",
  "handle",
] as const;
const WORKSPACE = ["handle", "handle", "handle", "handle", "handle", "i32", "host"] as const;

export const CUDNN = {
  cudnnCreate: ["host"],
  cudnnDestroy: ["handle"],
  cudnnSetStream: ["handle", "handle"],
  cudnnCreateTensorDescriptor: ["host"],
  cudnnSetTensorNdDescriptor: ["handle", "i32", "i32", "host", "host"],
  cudnnDestroyTensorDescriptor: ["handle"],
  cudnnCreateFilterDescriptor: ["host"],
  cudnnSetFilterNdDescriptor: ["handle", "i32", "i32", "i32", "host"],
  cudnnDestroyFilterDescriptor: ["handle"],
  cudnnCreateConvolutionDescriptor: ["host"],
  cudnnSetConvolutionNdDescriptor: ["handle", "i32", "host", "host", "host", "i32", "i32"],
  cudnnSetConvolutionGroupCount: ["handle", "i32"],
  cudnnSetConvolutionMathType: ["handle", "i32"],
  cudnnDestroyConvolutionDescriptor: ["handle"],
  cudnnGetConvolutionForwardWorkspaceSize: WORKSPACE,
  cudnnConvolutionForward: CONVOLUTION,
  cudnnGetConvolutionBackwardDataWorkspaceSize: WORKSPACE,
  cudnnConvolutionBackwardData: CONVOLUTION,
  cudnnGetConvolutionBackwardFilterWorkspaceSize: WORKSPACE,
  cudnnConvolutionBackwardFilter: CONVOLUTION,
} as const;

export type Cudnn = Library<typeof CUDNN>;
export type RawCudnn = RawLibrary<typeof CUDNN>;

/** `cudnnDataType_t` */
const DNN_TYPE = { float32: 0, float64: 1, float16: 2, bfloat16: 9 } as const;
export type DnnType = keyof typeof DNN_TYPE;
const NCHW = 0;
const CROSS_CORRELATION = 1;
const TENSOR_OP_MATH = 1;
const FMA_MATH = 3;
/** Implicit products: deterministic, on every architecture, at little workspace. */
const ALGORITHM = { forward: 1, data: 1, filter: 1 } as const;

export const checkedCudnn = (raw: RawCudnn): Cudnn => checkedLibrary(CUDNN, raw, CUDNN_CODES);

let found: Cudnn | string | undefined;

/** cuDNN of this machine, or what is missing and how to get it. Looks once. */
export function findCudnn(): Cudnn | string {
  found ??= openLibrary("cudnn", CUDNN, CUDNN_CODES);
  return found;
}

/** Shapes of a convolution: x [N, C, H, W], filter [K, C/groups, R, S], y [N, K, OH, OW]. */
export interface Convolution {
  readonly x: readonly number[];
  readonly filter: readonly number[];
  readonly y: readonly number[];
  readonly dtype: DnnType;
  readonly padding: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
  /** Lets float32 be rounded to tf32 for tensor cores. */
  readonly tf32: boolean;
}

/** Gives device memory for the time of a call. */
export type Workspace = (bytes: number, use: (address: number) => void) => void;

export class Dnn {
  readonly handle: number;

  constructor(readonly api: Cudnn) {
    const out = new Out();
    api.cudnnCreate(out.at);
    this.handle = out.word();
  }

  setStream(stream: number): void {
    this.api.cudnnSetStream(this.handle, stream);
  }

  /** y = conv(x, filter) */
  forward(shapes: Convolution, x: number, filter: number, y: number, workspace: Workspace): void {
    this.withDescriptors(shapes, (dx, dw, dc, dy) => {
      const { api, handle } = this;
      const bytes = new Out();
      api.cudnnGetConvolutionForwardWorkspaceSize(handle, dx, dw, dc, dy, ALGORITHM.forward, bytes.at);
      const [one, zero] = scalars(shapes.dtype);
      const size = bytes.word();
      workspace(size, (space) =>
        api.cudnnConvolutionForward(
          handle,
          one,
          dx,
          x,
          dw,
          filter,
          dc,
          ALGORITHM.forward,
          space,
          size,
          zero,
          dy,
          y,
        ),
      );
    });
  }

  /** The gradient of x. */
  backwardData(shapes: Convolution, filter: number, dy: number, dx: number, workspace: Workspace): void {
    this.withDescriptors(shapes, (descX, descW, descC, descY) => {
      const { api, handle } = this;
      const bytes = new Out();
      api.cudnnGetConvolutionBackwardDataWorkspaceSize(
        handle,
        descW,
        descY,
        descC,
        descX,
        ALGORITHM.data,
        bytes.at,
      );
      const [one, zero] = scalars(shapes.dtype);
      const size = bytes.word();
      workspace(size, (space) =>
        api.cudnnConvolutionBackwardData(
          handle,
          one,
          descW,
          filter,
          descY,
          dy,
          descC,
          ALGORITHM.data,
          space,
          size,
          zero,
          descX,
          dx,
        ),
      );
    });
  }

  /** The gradient of the filter. */
  backwardFilter(shapes: Convolution, x: number, dy: number, dw: number, workspace: Workspace): void {
    this.withDescriptors(shapes, (descX, descW, descC, descY) => {
      const { api, handle } = this;
      const bytes = new Out();
      api.cudnnGetConvolutionBackwardFilterWorkspaceSize(
        handle,
        descX,
        descY,
        descC,
        descW,
        ALGORITHM.filter,
        bytes.at,
      );
      const [one, zero] = scalars(shapes.dtype);
      const size = bytes.word();
      workspace(size, (space) =>
        api.cudnnConvolutionBackwardFilter(
          handle,
          one,
          descX,
          x,
          descY,
          dy,
          descC,
          ALGORITHM.filter,
          space,
          size,
          zero,
          descW,
          dw,
        ),
      );
    });
  }

  [Symbol.dispose](): void {
    this.api.cudnnDestroy(this.handle);
  }

  private withDescriptors(
    shapes: Convolution,
    use: (x: number, filter: number, convolution: number, y: number) => void,
  ): void {
    const { api } = this;
    const type = DNN_TYPE[shapes.dtype];
    const made: (() => void)[] = [];
    const create = (make: (out: ArrayBufferView) => void, destroy: (handle: number) => void): number => {
      const out = new Out();
      make(out.at);
      const handle = out.word();
      made.push(() => destroy(handle));
      return handle;
    };
    const tensor = (shape: readonly number[]): number => {
      const handle = create(api.cudnnCreateTensorDescriptor, api.cudnnDestroyTensorDescriptor);
      const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
      api.cudnnSetTensorNdDescriptor(handle, type, shape.length, ints(shape), ints(strides));
      return handle;
    };
    try {
      const x = tensor(shapes.x);
      const y = tensor(shapes.y);
      const filter = create(api.cudnnCreateFilterDescriptor, api.cudnnDestroyFilterDescriptor);
      api.cudnnSetFilterNdDescriptor(filter, type, NCHW, shapes.filter.length, ints(shapes.filter));
      const conv = create(api.cudnnCreateConvolutionDescriptor, api.cudnnDestroyConvolutionDescriptor);
      const compute = shapes.dtype === "float64" ? DNN_TYPE.float64 : DNN_TYPE.float32;
      api.cudnnSetConvolutionNdDescriptor(
        conv,
        2,
        ints(shapes.padding),
        ints(shapes.stride),
        ints(shapes.dilation),
        CROSS_CORRELATION,
        compute,
      );
      api.cudnnSetConvolutionGroupCount(conv, shapes.groups);
      const exact = shapes.dtype === "float32" && !shapes.tf32;
      api.cudnnSetConvolutionMathType(conv, exact ? FMA_MATH : TENSOR_OP_MATH);
      use(x, filter, conv, y);
    } finally {
      for (const destroy of made.reverse()) destroy();
    }
  }
}

function ints(values: readonly number[]): ArrayBufferView {
  const place = new Int32Array(new ArrayBuffer(128));
  place.set(values);
  return place;
}

function scalars(dtype: DnnType): [one: ArrayBufferView, zero: ArrayBufferView] {
  const make = (value: number): ArrayBufferView => {
    const place = new ArrayBuffer(128);
    if (dtype === "float64") new Float64Array(place)[0] = value;
    else new Float32Array(place)[0] = value;
    return new Uint8Array(place);
  };
  return [make(1), make(0)];
}
