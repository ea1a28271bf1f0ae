/** What surfaces look like: seeded textures, drawn once, with smaller copies for what is far away. */
import { ValueError } from "../../core/errors.js";
import { NoiseSource } from "./noise.js";

export type Rgb = readonly [red: number, green: number, blue: number];

export type TextureName = "plain" | "checker" | "bricks" | "stripes" | "speckle" | "tiles";

export interface MaterialSpec {
  /** 0 … 255 each. Default a grey. */
  readonly color?: Rgb;
  readonly texture?: TextureName;
  /** Part of the lidar's light that comes back, 0 … 1. Default 0.5. */
  readonly reflectivity?: number;
}

export type Material = Required<MaterialSpec>;

/** @throws ValueError for a colour, texture or reflectivity that is none */
export function checkMaterial(spec: MaterialSpec, where: string): Material {
  const { color = [150, 150, 150], texture = "plain", reflectivity = 0.5 } = spec;
  if (color.length !== 3 || color.some((c) => !(c >= 0 && c <= 255)))
    throw new ValueError(`${where}: a colour has three numbers from 0 to 255, got [${color}]`);
  if (!Object.hasOwn(PATTERNS, texture))
    throw new ValueError(`${where}: textures are ${Object.keys(PATTERNS).join(", ")}; got ${texture}`);
  if (!(reflectivity >= 0 && reflectivity <= 1))
    throw new ValueError(`${where}: the reflectivity is 0 … 1, got ${reflectivity}`);
  return { color, texture, reflectivity };
}

/** Texels along a metre, and along each side of the texture, which repeats. */
export const TEXELS = 64;

/** Brightness (0 … 1) of the texel at (`u`, `v`) in 0 … 63; `noise` has a byte for each texel. */
const PATTERNS: Readonly<Record<TextureName, (u: number, v: number, noise: Uint8Array) => number>> = {
  plain: () => 1,
  checker: (u, v) => (((u >> 4) + (v >> 4)) % 2 === 0 ? 1 : 0.55),
  bricks: (u, v, noise) => {
    const course = v >> 3;
    const shifted = (u + (course % 2) * 8) % TEXELS;
    if (v % 8 === 0 || shifted % 16 === 0) return 0.6;
    return 0.75 + (noise[course * 4 + (shifted >> 4)] / 255) * 0.25;
  },
  stripes: (u) => ((u >> 3) % 2 === 0 ? 1 : 0.5),
  // patches of 4 × 4 texels under a finer grain: corners for feature detectors, at more than one scale
  speckle: (u, v, noise) =>
    0.45 + (noise[(v >> 2) * 16 + (u >> 2)] / 255) * 0.4 + (noise[v * TEXELS + u] / 255) * 0.15,
  tiles: (u, v, noise) =>
    u % 32 === 0 || v % 32 === 0 ? 0.6 : 0.85 + (noise[(v >> 5) * 2 + (u >> 5)] / 255) * 0.15,
};

/** Smaller and smaller copies, each half as wide: `levels[k]` has (64 >> k)² brightnesses. */
export type Texture = readonly Float32Array[];

const drawn = new Map<string, Texture>();

/** A texture and its smaller copies. */
export function textureOf(name: TextureName): Texture {
  const known = drawn.get(name);
  if (known) return known;
  const noise = new NoiseSource(0).bytes("texture", 0, 0, new Uint8Array(TEXELS * TEXELS));
  const first = Float32Array.from({ length: TEXELS * TEXELS }, (_, i) =>
    PATTERNS[name](i % TEXELS, Math.floor(i / TEXELS), noise),
  );
  const levels = [first];
  for (let size = TEXELS / 2; size >= 1; size /= 2) {
    const from = levels[levels.length - 1];
    levels.push(
      Float32Array.from({ length: size * size }, (_, i) => {
        const at = 4 * size * Math.floor(i / size) + 2 * (i % size); // of two rows, each 2 × size
        return (from[at] + from[at + 1] + from[at + 2 * size] + from[at + 2 * size + 1]) / 4;
      }),
    );
  }
  drawn.set(name, levels);
  return levels;
}
