/** The convolution algorithms: one file each, one line here. */
import type { ConvAlgorithm } from "./algorithm.js";
import { depthwise } from "./depthwise.js";
import { direct } from "./direct.js";
import { im2col } from "./im2col.js";
import { indirect } from "./indirect.js";
import { winograd } from "./winograd.js";
import { winogradLines } from "./winograd-lines.js";

export const ALGORITHMS: readonly ConvAlgorithm[] = [
  im2col,
  direct,
  depthwise,
  indirect,
  winogradLines("winograd1d", 2),
  winograd("winograd", 2),
  winograd("winograd4", 4),
];
