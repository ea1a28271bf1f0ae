/** PNG files from pixels, at once: notebooks show them, and so do pages that keep a notebook. */
import { crc32, deflateSync } from "node:zlib";
import { ValueError } from "../../core/errors.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Colour types of the format (PNG specification, 11.2.2), by channels. */
const COLOUR_TYPES: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 };

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, "latin1");
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

/**
 * A PNG of 8 bits a channel.
 * @param pixels rows from the top, `height × width × channels`
 * @param channels 1 grey, 3 RGB, 4 RGBA
 * @throws ValueError if the pixels do not fill the picture
 */
export function png(pixels: Uint8Array, width: number, height: number, channels: 1 | 3 | 4): Buffer {
  if (pixels.length !== width * height * channels)
    throw new ValueError(`png: ${pixels.length} bytes for ${width} × ${height} pixels of ${channels}`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, COLOUR_TYPES[channels], 0, 0, 0], 8);
  const row = width * channels;
  const lines = new Uint8Array(height * (row + 1)); // each line begins with its filter: none
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  return Buffer.concat([
    Buffer.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(lines, { level: 6 })),
    chunk("IEND", new Uint8Array()),
  ]);
}
