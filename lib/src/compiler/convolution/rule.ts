/**
 * The algorithm by sizes alone, so that the same sizes always get the same one: what measured fastest on an AVX-512 machine
 * (`npm run bench -- convolution`). F(4×4) is often faster still, but loses a digit: it is only taken when asked for.
 */
import type { HostDevice } from "./algorithm.js";
import { type ConvGeometry, definitionWork, outputOf } from "./geometry.js";

const WORTH_A_KERNEL = 1e6; // multiplications
/** Share of a vector's lanes that must be pixels of the line. */
const FILLED = 0.7;
/** Channels and filters of a group from which on products outweigh transforms. */
const WIDE = 8;

/** `null`: the device's own kernel, columns and a product. */
export function rule(g: ConvGeometry, device: HostDevice): string | null {
  if (definitionWork(g) < WORTH_A_KERNEL) return null;
  if (g.groups > 1 && g.groups === g.channels) return "depthwise";
  const [oh, ow] = outputOf(g);
  const plain = [...g.stride, ...g.dilation].every((step) => step === 1);
  const wide = Math.min(g.channels, g.filters) / g.groups >= WIDE;
  const tileable = plain && wide && g.kernel.every((size) => size === 3);
  const tiles = g.n * Math.ceil(oh / 2) * Math.ceil(ow / 2);
  if (device === "wasm") return tileable && tiles >= 16 ? "winograd" : null;
  // In C the definition runs near the machine's peak where lines are long; elsewhere fewer multiplications, or no columns.
  const many = g.n >= 4 && tiles >= 48;
  if (tileable && many && ow <= 16) return "winograd";
  const channels = g.channels / g.groups;
  const pointwise = g.kernel[0] * g.kernel[1] === 1;
  if (channels >= 64 && (pointwise ? ow <= 14 : g.n === 1)) return "indirect";
  const lanes = ow > 8 ? 16 : 8;
  if (ow >= 8 && ow / (Math.ceil(ow / lanes) * lanes) >= FILLED) return "direct";
  return channels >= 32 && !pointwise ? "indirect" : null;
}
