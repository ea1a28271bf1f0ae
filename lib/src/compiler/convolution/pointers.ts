/**
 * Indirection: where the pixel of each output and tap lies, as offsets into an image whose channels lie side by side. Taps
 * outside point at a pixel of zeros behind the image. (Dukhan 2019, "The indirect convolution algorithm".)
 */
import { type ConvGeometry, outputOf } from "./geometry.js";

/** Byte offsets, taps of an output side by side: outputs × taps. */
export function pointersOf(g: ConvGeometry, pixelBytes: number): Int32Array {
  const [oh, ow] = outputOf(g);
  const [kh, kw] = g.kernel;
  const out = new Int32Array(oh * ow * kh * kw);
  const outside = g.height * g.width * pixelBytes;
  let at = 0;
  for (let y = 0; y < oh; y++)
    for (let x = 0; x < ow; x++)
      for (let r = 0; r < kh; r++) {
        const row = y * g.stride[0] + r * g.dilation[0] - g.padding[0][0];
        for (let q = 0; q < kw; q++) {
          const column = x * g.stride[1] + q * g.dilation[1] - g.padding[1][0];
          const inside = row >= 0 && row < g.height && column >= 0 && column < g.width;
          out[at++] = inside ? (row * g.width + column) * pixelBytes : outside;
        }
      }
  return out;
}
