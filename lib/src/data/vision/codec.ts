/** Images between files and arrays: PNG and JPEG through sharp (libvips), on its threads. */
import { MlsysError, ValueError } from "../../core/errors.js";
import type { PlainArray } from "../formats/array.js";

/** Pixels in rows: shape (height, width, channels), 8 bits each. */
export type Image = PlainArray<"uint8">;

export interface DecodeOptions {
  /** Channels of the result: 1 gray, 3 RGB, 4 RGBA. Default 3: transparency is dropped. */
  readonly channels?: 1 | 3 | 4;
  /** An image that says it has more pixels is refused before it is decoded. Default 2²⁶. */
  readonly maxPixels?: number;
}

type Sharp = typeof import("sharp").default;

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
  { channels = 3, maxPixels = 2 ** 26 }: DecodeOptions = {},
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
    const { data, info } = await shaped.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    if (info.channels !== channels)
      throw new ValueError(`decodeImage: ${info.channels} channels where ${channels} were wanted`);
    return { dtype: "uint8", shape: [info.height, info.width, info.channels], data };
  } catch (cause) {
    if (cause instanceof ValueError) throw cause;
    const message = (cause as Error).message.replaceAll(/\s+/g, " ").trim();
    throw new ValueError(`decodeImage: the ${format} can't be decoded: ${message}`, { cause });
  }
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

/** @returns height, width, channels. @throws ValueError if the array is no image. */
export function checkImage(
  { shape, data }: PlainArray<"uint8"> | PlainArray<"float32">,
  where: string,
): [height: number, width: number, channels: number] {
  if (shape.length !== 3 || shape.some((n) => !Number.isInteger(n) || n < 1))
    throw new ValueError(
      `${where}: an image has the shape (height, width, channels), got (${shape.join(", ")})`,
    );
  const [height, width, channels] = shape;
  if (height * width * channels !== data.length)
    throw new ValueError(`${where}: ${data.length} elements for the shape (${shape.join(", ")})`);
  return [height, width, channels];
}
