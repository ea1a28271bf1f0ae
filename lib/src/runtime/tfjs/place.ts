/** Where `mlsys devices install tfjs` puts things, and what it wrote there about them. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../native/toolchain.js";

/** npm packages that carry TensorFlow for Node, and the name of the folder of each. */
export const PACKAGES = { cpu: "@tensorflow/tfjs-node", gpu: "@tensorflow/tfjs-node-gpu" } as const;
export type Flavor = keyof typeof PACKAGES;

/** What an installation says of itself, in `installed.json`; written last, so a folder without it is not whole. */
export interface Installed {
  readonly package: string;
  /** Version of the npm package. */
  readonly version: string;
  /** Version of TensorFlow's C library, as the library says it. */
  readonly tensorflow: string;
  /** Where that library came from: a wheel's name, the package's own download, or the user's path. */
  readonly from: string;
  /** What was asked for: the same again is already done. */
  readonly request: string;
}

/** The folder of an installation: `devices/tfjs` or `devices/tfjs-gpu` in the cache (`MLSYS_CACHE`, else the user's). */
export function placeOf(flavor: Flavor): string {
  return join(cacheFolder("devices"), flavor === "gpu" ? "tfjs-gpu" : "tfjs");
}

/** What is installed at `folder`, or null. */
export function installedAt(folder: string): Installed | null {
  const file = join(folder, "installed.json");
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Installed;
  } catch {
    return null; // cut off while it was written: not whole
  }
}
