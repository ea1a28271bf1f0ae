/** Between image messages and arrays of pixels, as cv_bridge does for OpenCV. */
import { ValueError } from "../../core/errors.js";
import { checkImage, type Image } from "../../data/vision/image.js";
import type { sensor_msgs, std_msgs } from "./interfaces/common/index.js";

type ImageMessage = sensor_msgs.Image;

/** How a pixel's bytes lie, and which of them are red, green, blue (and opaque); gray has one. */
const ENCODINGS: Readonly<Record<string, readonly number[]>> = {
  rgb8: [0, 1, 2],
  bgr8: [2, 1, 0],
  rgba8: [0, 1, 2, 3],
  bgra8: [2, 1, 0, 3],
  mono8: [0],
};

export type ImageEncoding = "rgb8" | "bgr8" | "rgba8" | "bgra8" | "mono8";

const BY_CHANNELS: Readonly<Record<number, ImageEncoding>> = { 1: "mono8", 3: "rgb8", 4: "rgba8" };

/**
 * An image (height, width, channels) of gray, RGB or RGBA as `sensor_msgs/msg/Image`.
 * @param options.encoding of the message's bytes; default that of the image's channels: `mono8`, `rgb8`, `rgba8`
 * @throws ValueError if the image has other channels than the encoding
 * @example
 * const red = { dtype: "uint8" as const, shape: [1, 1, 3], data: new Uint8Array([255, 0, 0]) };
 * robotics.ros.imageToMessage(red, { encoding: "bgr8" }).data; // [0, 0, 255]
 */
export function imageToMessage(
  image: Image,
  { encoding, header }: { readonly encoding?: ImageEncoding; readonly header?: std_msgs.Header } = {},
): Partial<ImageMessage> & Omit<ImageMessage, "header"> {
  const [height, width, channels] = checkImage(image, "imageToMessage");
  const chosen = encoding ?? BY_CHANNELS[channels];
  const order = ENCODINGS[chosen];
  if (!order)
    throw new ValueError(
      `imageToMessage: encoding ${chosen} is none of ${Object.keys(ENCODINGS).join(", ")}`,
    );
  if (order.length !== channels)
    throw new ValueError(`imageToMessage: ${chosen} has ${order.length} channels, the image ${channels}`);
  const data = reordered(image.data, channels, order, channels * width, height, width);
  return {
    ...(header && { header }),
    height,
    width,
    encoding: chosen,
    is_bigendian: 0,
    step: channels * width,
    data,
  };
}

/**
 * The pixels of an image message: gray (height, width, 1), RGB or RGBA whatever the order of its bytes.
 * @throws ValueError for encodings other than 8-bit gray, RGB, BGR, RGBA, BGRA, and for messages whose data is too short
 * @example
 * const red = { dtype: "uint8" as const, shape: [1, 1, 3], data: new Uint8Array([255, 0, 0]) };
 * const message = robotics.ros.msg("sensor_msgs/msg/Image").create(robotics.ros.imageToMessage(red));
 * robotics.ros.messageToImage(message).data; // [255, 0, 0]
 */
export function messageToImage({ height, width, encoding, step, data }: ImageMessage): Image {
  const order = ENCODINGS[encoding];
  if (!order)
    throw new ValueError(
      `messageToImage: encoding ${JSON.stringify(encoding)}; one of ${Object.keys(ENCODINGS).join(", ")} expected`,
    );
  const channels = order.length;
  if (
    height < 1 ||
    width < 1 ||
    step < channels * width ||
    data.length < step * (height - 1) + channels * width
  )
    throw new ValueError(
      `messageToImage: ${data.length} bytes in rows of ${step} are no ${encoding} image of ${height} × ${width}`,
    );
  return {
    dtype: "uint8",
    shape: [height, width, channels],
    data: reordered(data, channels, order, step, height, width),
  };
}

function reordered(
  from: Uint8Array,
  channels: number,
  order: readonly number[],
  step: number,
  height: number,
  width: number,
): Uint8Array<ArrayBuffer> {
  const row = channels * width;
  const inOrder = order.every((channel, i) => channel === i);
  if (inOrder && step === row) return new Uint8Array(from.subarray(0, row * height));
  const out = new Uint8Array(row * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < row; x += channels)
      for (let c = 0; c < channels; c++) out[y * row + x + c] = from[y * step + x + order[c]];
  return out;
}
