/** Random numbers on the host, from a seeded stream: the filters' noise and samples. */
import type { WordStream } from "../../core/random.js";

/** Standard normal numbers, by the Box–Muller transform. */
export function normals(stream: WordStream): () => number {
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log((stream.next() + 1) / 2 ** 32));
    const angle = stream.uniform(0, 2 * Math.PI);
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
