/** A convolution's sizes, apart from any tensor: what algorithms are chosen by. */
import { type ConvAttrs, windowCount } from "../../ops/conv.js";

/** Images (n, channels, height, width), filters (filters, channels/groups, kernel). */
export interface ConvGeometry {
  readonly n: number;
  readonly channels: number;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** What is written: the rest follows, or is plain. */
export interface ConvSizes extends Pick<ConvGeometry, "channels" | "filters" | "height"> {
  /** Default 1. */
  readonly n?: number;
  /** Default: the height. */
  readonly width?: number;
  /** Default 3. */
  readonly kernel?: number | readonly [number, number];
  /** Default 1. */
  readonly stride?: number | readonly [number, number];
  /** Default: half of the kernel. */
  readonly padding?: number | ConvGeometry["padding"];
  readonly dilation?: number | readonly [number, number];
  readonly groups?: number;
}

/**
 * @example compiler.convolution.geometry({ channels: 16, filters: 16, height: 8 }).padding // [[1, 1], [1, 1]]
 */
export function geometry(sizes: ConvSizes): ConvGeometry {
  const both = (x: number | readonly [number, number]): readonly [number, number] =>
    typeof x === "number" ? [x, x] : x;
  const kernel = both(sizes.kernel ?? 3);
  const { padding = Math.floor(kernel[0] / 2) } = sizes;
  return {
    n: sizes.n ?? 1,
    channels: sizes.channels,
    filters: sizes.filters,
    height: sizes.height,
    width: sizes.width ?? sizes.height,
    kernel,
    stride: both(sizes.stride ?? 1),
    padding:
      typeof padding === "number"
        ? [
            [padding, padding],
            [padding, padding],
          ]
        : padding,
    dilation: both(sizes.dilation ?? 1),
    groups: sizes.groups ?? 1,
  };
}

/** The geometry of conv2d's operands. */
export function geometryOf(
  x: readonly number[],
  w: readonly number[],
  { stride, padding, dilation, groups }: ConvAttrs,
): ConvGeometry {
  const [n, channels, height, width] = x;
  const [filters, , kh, kw] = w;
  return { n, channels, filters, height, width, kernel: [kh, kw], stride, padding, dilation, groups };
}

/** Height and width of the result. */
export function outputOf(g: ConvGeometry): readonly [number, number] {
  const along = (i: 0 | 1): number =>
    windowCount([g.height, g.width][i], g.kernel[i], g.stride[i], g.padding[i], g.dilation[i]);
  return [along(0), along(1)];
}

/** Multiplications of the definition. */
export function definitionWork(g: ConvGeometry): number {
  const [oh, ow] = outputOf(g);
  return g.n * g.filters * oh * ow * (g.channels / g.groups) * g.kernel[0] * g.kernel[1];
}

/** A short name: `1×64×56² 64 of 3×3`. */
export function describe(g: ConvGeometry): string {
  const image = g.height === g.width ? `${g.height}²` : `${g.height}×${g.width}`;
  const extra = [
    ...(g.stride.some((s) => s !== 1) ? [`stride ${[...new Set(g.stride)].join("×")}`] : []),
    ...(g.dilation.some((s) => s !== 1) ? [`dilation ${[...new Set(g.dilation)].join("×")}`] : []),
    ...(g.groups > 1 ? [`${g.groups} groups`] : []),
  ];
  return [`${g.n}×${g.channels}×${image}, ${g.filters} of ${g.kernel.join("×")}`, ...extra].join(", ");
}
