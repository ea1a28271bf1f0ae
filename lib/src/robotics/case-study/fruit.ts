/** Photographs of fruit that nobody took: seeded scenes to train the case study's detector on, and to test it with. */
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import type { Image } from "../../data/vision/image.js";

/** Kinds of fruit and their classes in ImageNet (ILSVRC 2012). */
export const FRUIT_CLASSES = Object.freeze({
  "Granny Smith": 948,
  strawberry: 949,
  orange: 950,
  lemon: 951,
  pineapple: 953,
  banana: 954,
});

/** An `apple` is red or green; ImageNet knows green ones only, and takes red ones for them. */
export type FruitKind = "apple" | "strawberry" | "orange" | "lemon" | "pineapple" | "banana";

export const FRUIT_KINDS: readonly FruitKind[] = [
  "apple",
  "strawberry",
  "orange",
  "lemon",
  "pineapple",
  "banana",
];

/**
 * The class in ImageNet of a kind of fruit.
 * @example robotics.caseStudy.fruitClass("pineapple") // 953
 */
export function fruitClass(kind: FruitKind): number {
  return FRUIT_CLASSES[kind === "apple" ? "Granny Smith" : kind];
}

type Rgb = readonly [number, number, number];
/** Colour at a point of the fruit, whose body is about the unit circle; `null` where there is none. y points down. */
type Paint = (x: number, y: number) => Rgb | null;

/**
 * A picture (height, width, 3) with one fruit near its middle: pose, light, colours and background come from the seed.
 * @example const picture = robotics.caseStudy.fruitPhoto("pineapple", 7); // uint8 (256, 320, 3)
 * @throws ValueError for an unknown kind or a size that is none
 */
export function fruitPhoto(
  kind: FruitKind,
  seed: number,
  { height = 256, width = 320 }: { readonly height?: number; readonly width?: number } = {},
): Image {
  if (!Object.hasOwn(PAINTERS, kind))
    throw new ValueError(`fruitPhoto: ${kind} is none of ${FRUIT_KINDS.join(", ")}`);
  if (![height, width].every((n) => Number.isInteger(n) && n >= 8))
    throw new ValueError(`fruitPhoto: a size is two whole numbers from 8, got ${height} × ${width}`);
  const random = new WordStream([seed, 0x667275]);
  const paint = PAINTERS[kind](random);
  const behind = background(random);
  const radius = Math.min(height, width) * random.uniform(0.24, 0.36);
  const [cx, cy] = [width * random.uniform(0.42, 0.58), height * random.uniform(0.42, 0.58)];
  const angle = random.uniform(-0.5, 0.5);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [lightX, lightY] = [random.uniform(-0.6, 0.6), random.uniform(-0.8, -0.1)];
  const brightness = random.uniform(0.75, 1.15);
  const noise = random.uniform(2, 10);
  const grain = new WordStream([seed, 0x677261]);
  const data = new Uint8Array(height * width * 3);
  for (let row = 0, at = 0; row < height; row++)
    for (let column = 0; column < width; column++, at += 3) {
      const [dx, dy] = [(column - cx) / radius, (row - cy) / radius];
      const [x, y] = [cos * dx + sin * dy, cos * dy - sin * dx];
      const painted = paint(x, y);
      // lit as a ball is
      const z = Math.sqrt(Math.max(0, 1 - Math.min(1, (x * x + y * y) / 1.3)));
      const light = painted ? 0.55 + 0.45 * Math.max(0, z - lightX * dx * 0.5 + lightY * dy * -0.5) : 1;
      const colour = painted ?? behind(column / width, row / height);
      const speck = (grain.uniform() + grain.uniform() - 1) * noise;
      for (let c = 0; c < 3; c++)
        data[at + c] = Math.max(0, Math.min(255, colour[c] * light * brightness + speck));
    }
  return { dtype: "uint8", shape: [height, width, 3], data };
}

/** A few waves over two colours: leaves, a table, the sky. */
function background(random: WordStream): (x: number, y: number) => Rgb {
  const tones: readonly Rgb[] = [
    [70, 110, 50],
    [150, 120, 85],
    [120, 160, 200],
    [200, 195, 185],
    [60, 60, 65],
    [110, 90, 70],
  ];
  const one = tones[random.below(tones.length)];
  const other = tones[random.below(tones.length)];
  const waves = Array.from({ length: 4 }, () => ({
    kx: random.uniform(-14, 14),
    ky: random.uniform(-14, 14),
    phase: random.uniform(0, 2 * Math.PI),
  }));
  const slope = random.uniform(-0.6, 0.6);
  return (x, y) => {
    let sum = slope * (x - 0.5) + 0.8 * (y - 0.5);
    for (const { kx, ky, phase } of waves) sum += 0.18 * Math.sin(kx * x + ky * y + phase);
    return mixed(one, other, Math.max(0, Math.min(1, 0.5 + sum)));
  };
}

const mixed = (a: Rgb, b: Rgb, t: number): Rgb => [
  a[0] + (b[0] - a[0]) * t,
  a[1] + (b[1] - a[1]) * t,
  a[2] + (b[2] - a[2]) * t,
];
const varied = (random: WordStream, [r, g, b]: Rgb, by = 18): Rgb => [
  r + random.uniform(-by, by),
  g + random.uniform(-by, by),
  b + random.uniform(-by, by),
];

const PAINTERS: Readonly<Record<FruitKind, (random: WordStream) => Paint>> = {
  apple(random) {
    const skin = varied(random, random.uniform() < 0.5 ? [196, 40, 42] : [140, 180, 60]);
    const blush = varied(random, [222, 180, 90]);
    const stem = varied(random, [90, 62, 38]);
    return (x, y) => {
      if (Math.abs(x - 0.12 * y) < 0.05 && y < -0.72 && y > -1.2) return stem;
      const dent = 0.16 * Math.exp(-((x / 0.25) ** 2));
      if (
        (x / 1.02) ** 2 + ((y - (y < 0 ? dent : 0)) / 0.92) ** 2 > 1 ||
        (y < 0 && y < -0.92 + 2 * dent && Math.abs(x) < 0.2)
      )
        return null;
      return mixed(skin, blush, Math.max(0, 0.35 * Math.sin(7 * x + 1.5 * y) - 0.1));
    };
  },
  orange(random) {
    const skin = varied(random, [238, 140, 30]);
    const pore = varied(random, [214, 112, 18]);
    const button = varied(random, [110, 130, 50]);
    return (x, y) => {
      const r = Math.hypot(x, y);
      if (r > 1) return null;
      if (Math.hypot(x - 0.1, y + 0.75) < 0.09) return button;
      return mixed(skin, pore, Math.sin(47 * x + 9 * y) * Math.sin(43 * y - 11 * x) > 0.6 ? 1 : 0);
    };
  },
  lemon(random) {
    const skin = varied(random, [240, 220, 60]);
    const shade = varied(random, [214, 186, 40]);
    return (x, y) => {
      const tip = Math.abs(x) > 0.95 ? 0.12 - 0.25 * (Math.abs(x) - 0.95) : 0;
      const inside =
        (x / 1.05) ** 2 + (y / 0.72) ** 2 <= 1 || (tip > 0 && Math.abs(y) < tip && Math.abs(x) < 1.3);
      return inside ? mixed(skin, shade, Math.max(0, Math.sin(31 * x) * Math.sin(29 * y))) : null;
    };
  },
  banana(random) {
    const skin = varied(random, [236, 206, 70]);
    const ridge = varied(random, [198, 164, 44]);
    const end = varied(random, [82, 66, 36]);
    const bend = random.uniform(0.9, 1.2);
    return (x, y) => {
      // part of a ring about a point above
      const [dx, dy] = [x, y + bend];
      const r = Math.hypot(dx, dy);
      const around = Math.atan2(dx, dy);
      const half = 0.34 * Math.cos(Math.min(1, Math.abs(around) / 1.05) * 1.35);
      if (Math.abs(around) > 1.05 || Math.abs(r - bend - 0.3) > Math.max(half, 0.07)) return null;
      if (Math.abs(around) > 0.96) return end;
      return Math.abs(r - bend - 0.3 + half * 0.3) < 0.03 ? ridge : skin;
    };
  },
  strawberry(random) {
    const flesh = varied(random, [206, 32, 44]);
    const seed = varied(random, [236, 200, 110]);
    const leaf = varied(random, [70, 140, 50]);
    return (x, y) => {
      const crown = 0.28 + 0.16 * Math.cos(6 * Math.atan2(x, y + 0.85));
      if (y < -0.45 && ((x / 0.95) ** 2 + ((y + 0.85) / 0.6) ** 2) * 0.35 < crown ** 2) return leaf;
      const width =
        y < -0.2 ? Math.sqrt(Math.max(0, 1 - ((y + 0.2) / 0.75) ** 2)) : Math.cos(((y + 0.2) / 1.35) * 1.55);
      if (y < -0.95 || y > 1.15 || Math.abs(x) > 0.88 * width) return null;
      const row = Math.round(y / 0.2);
      const [sx, sy] = [x / 0.26 + (row % 2) * 0.5, y - row * 0.2];
      return Math.abs(sx - Math.round(sx)) < 0.16 && Math.abs(sy) < 0.055 ? seed : flesh;
    };
  },
  pineapple(random) {
    const eye = varied(random, [204, 146, 52]);
    const gap = varied(random, [112, 74, 28]);
    const leaf = varied(random, [62, 116, 56]);
    const vein = varied(random, [118, 156, 92]);
    const density = random.uniform(5.5, 7.5);
    const blades = Array.from({ length: 9 }, (_, i) => (i - 4) * 0.2 + random.uniform(-0.05, 0.05));
    return (x, y) => {
      if (y < -0.55 && y > -1.5) {
        const up = (-0.55 - y) / 0.95;
        for (const lean of blades) {
          const off = Math.abs(x - lean * (0.35 + 1.15 * up * (0.6 + up * 0.4)));
          const long = 1 - 0.55 * Math.abs(lean);
          if (up < long && off < 0.13 * (1 - up / long)) return off < 0.025 ? vein : leaf;
        }
      }
      const [u, v] = [x / 0.62, (y - 0.25) / 0.92];
      if (u * u + v * v > 1) return null;
      // a lattice that closes towards the sides, as on a barrel
      const side = Math.asin(Math.max(-1, Math.min(1, u))) * 0.7;
      const [p, q] = [side * density + v * density * 0.8, side * density - v * density * 0.8];
      const line = Math.min(Math.abs(p - Math.round(p)), Math.abs(q - Math.round(q)));
      return mixed(gap, eye, Math.min(1, line / 0.22));
    };
  },
};
