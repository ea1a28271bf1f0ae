/** A small regression that a network of two layers learns in a hundred steps. */
import { Generator, manualSeed, nn, type Tensor } from "../../src/index.js";

export function regression(): { make: () => nn.Sequential; x: Tensor; y: Tensor } {
  const draw = new Generator(4);
  const x = draw.uniform([64, 4]).mul(2).sub(1);
  const y = x
    .slice([null, null], [0, 1])
    .mul(x.slice([null, null], [1, 2]))
    .add(x.slice([null, null], [2, 3]).square());
  const make = (): nn.Sequential => {
    manualSeed(6);
    return new nn.Sequential(new nn.Dense(4, 24), new nn.ReLU(), new nn.Dense(24, 1));
  };
  return { make, x, y };
}
