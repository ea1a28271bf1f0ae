/** The algorithm by sizes alone: what measured fastest on the machines at hand. The same sizes always get the same one. */
import type { HostDevice } from "./algorithm.js";
import type { ConvGeometry } from "./geometry.js";

/** `null`: the device's own kernel. */
export function rule(_g: ConvGeometry, _device: HostDevice): string | null {
  return null;
}
