/** What an image is. */
import { ValueError } from "../../core/errors.js";
import type { PlainArray } from "../formats/array.js";

/** Pixels in rows: shape (height, width, channels), 8 bits each. */
export type Image = PlainArray<"uint8">;

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

/** Height and width of an image whose shorter side is `size`. */
export function byShorterSide(height: number, width: number, size: number): [number, number] {
  return height <= width
    ? [size, Math.max(1, Math.trunc((size * width) / height))]
    : [Math.max(1, Math.trunc((size * height) / width)), size];
}
