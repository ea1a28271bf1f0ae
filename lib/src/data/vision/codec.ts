/** Images between files and arrays: PNG and JPEG through sharp (libvips), on its threads. */
import { MlsysError, ValueError } from "../../core/errors.js";
import { byShorterSide, checkImage, type Image } from "./image.js";
import { resize as resized } from "./resize.js";

export interface DecodeOptions {
  /** Channels of the result: 1 gray, 3 RGB, 4 RGBA. Default 3: transparency is dropped. */
  readonly channels?: 1 | 3 | 4;
  /** An image that says it has more pixels is refused before it is decoded. Default 2²⁶. */
  readonly maxPixels?: number;
  /**
   * Size of the result, or of its shorter side: nearly what bilinear `resize` gives behind it. Smaller images are made in C, several
   * times as fast, JPEGs by up to 8 inside the decoder.
   */
  readonly resize?: number | readonly [height: number, width: number];
}

type Sharp = typeof import("sharp").default;
type SharpImage = ReturnType<Sharp>;

let loaded: Promise<Sharp> | null = null;

function sharp(): Promise<Sharp> {
  loaded ??= import("sharp").then(
    (module) => module.default,
    (cause) => {
      throw new MlsysError("images want the optional package sharp: npm install sharp", { cause });
    },
  );
  return loaded;
}

/** "png" or "jpeg" by the first bytes; `null` for anything else. */
function formatOf(bytes: Uint8Array): "png" | "jpeg" | null {
  if (Buffer.from(bytes.subarray(0, 8)).toString("latin1") === "\x89PNG\r\n\x1a\n") return "png";
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff ? "jpeg" : null;
}

/**
 * Pixels of a PNG or JPEG, as Pillow's `Image.open(…).convert("RGB")` gives them: neither colour profile nor orientation is applied.
 * @example
 * const red = { dtype: "uint8" as const, shape: [1, 1, 3], data: new Uint8Array([255, 0, 0]) };
 * (await data.decodeImage(await data.encodeImage(red))).data // [255, 0, 0]
 * @throws ValueError if the bytes are no PNG or JPEG, are damaged or cut, or have too many pixels.
 */
export async function decodeImage(
  bytes: Uint8Array,
  { channels = 3, maxPixels = 2 ** 26, resize }: DecodeOptions = {},
): Promise<Image> {
  const format = formatOf(bytes);
  if (!format)
    throw new ValueError(
      `decodeImage: neither PNG nor JPEG: the first bytes are ${[...bytes.subarray(0, 4)].join(" ")}`,
    );
  const library = await sharp();
  try {
    const input = library(bytes, { failOn: "truncated", limitInputPixels: maxPixels, ignoreIcc: true });
    const toned = channels === 1 ? input.toColourspace("b-w") : input.toColourspace("srgb");
    const shaped = channels === 4 ? toned.ensureAlpha() : toned.removeAlpha();
    const size = resize === undefined ? null : await sizeOf(input, resize, maxPixels);
    if (size?.smaller) {
      const { height, width } = size;
      shaped.resize({ height, width, fit: "fill", kernel: "linear", fastShrinkOnLoad: false });
    }
    const { data, info } = await shaped.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    if (info.channels !== channels)
      throw new ValueError(`decodeImage: ${info.channels} channels where ${channels} were wanted`);
    const image: Image = { dtype: "uint8", shape: [info.height, info.width, info.channels], data };
    return size && !size.smaller ? resized(image, [size.height, size.width]) : image;
  } catch (cause) {
    if (cause instanceof ValueError) throw cause;
    const message = (cause as Error).message.replaceAll(/\s+/g, " ").trim();
    throw new ValueError(`decodeImage: the ${format} can't be decoded: ${message}`, { cause });
  }
}

/** The size that is wanted, and whether no side grows: libvips takes other places of pixels where one does. */
async function sizeOf(
  input: SharpImage,
  wanted: NonNullable<DecodeOptions["resize"]>,
  maxPixels: number,
): Promise<{ height: number; width: number; smaller: boolean }> {
  const { height: rows, width: columns } = await input.metadata();
  const [height, width] = typeof wanted === "number" ? byShorterSide(rows, columns, wanted) : wanted;
  if (![height, width].every((n) => Number.isInteger(n) && n >= 1) || height * width > maxPixels)
    throw new ValueError(
      `decodeImage: a size is two whole numbers from 1, of at most ${maxPixels} pixels, got ${height} × ${width}`,
    );
  return { height, width, smaller: height <= rows && width <= columns };
}

/**
 * An image as PNG (nothing is lost) or JPEG.
 * @param options.quality of JPEG, 1 to 100. Default 90.
 * @example (await data.encodeImage({ dtype: "uint8", shape: [1, 1, 1], data: new Uint8Array([9]) })).subarray(1, 4) // [80, 78, 71]
 * @throws ValueError if the shape is no image's.
 */
export async function encodeImage(
  image: Image,
  { format = "png", quality = 90 }: { readonly format?: "png" | "jpeg"; readonly quality?: number } = {},
): Promise<Uint8Array> {
  const [height, width, channels] = checkImage(image, "encodeImage");
  if (channels !== 1 && channels !== 3 && channels !== 4)
    throw new ValueError(`encodeImage: an image has 1, 3 or 4 channels, got ${channels}`);
  if (!(quality >= 1 && quality <= 100))
    throw new ValueError(`encodeImage: quality is 1 to 100, got ${quality}`);
  const library = await sharp();
  const raw = library(image.data, { raw: { width, height, channels } });
  const toned = channels === 1 ? raw.toColourspace("b-w") : raw;
  return format === "png" ? toned.png().toBuffer() : toned.jpeg({ quality }).toBuffer();
}
