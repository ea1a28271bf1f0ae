/** Finds TensorFlow.js for Node and loads it: what `mlsys devices install tfjs` made, or what the project itself has. */
import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import { DeviceError } from "../../core/errors.js";
import { type Installed, installedAt, PACKAGES, placeOf } from "./place.js";
import type { Tfjs } from "./tfjs.js";

/** A TensorFlow.js that can be loaded. */
export interface Found {
  /** Package or path, as `require` takes it from `from`. */
  readonly name: string;
  readonly from: string;
  /** Of what the installer made. */
  readonly installed?: Installed;
}

let found: Found | null | undefined;
let loaded: Tfjs | undefined;

/** What `require` of tfjs-node would load: `MLSYS_TFJS` (a folder), the installer's, the project's. Looks once. */
export function findTfjs(): Found | null {
  found ??= look();
  return found;
}

function look(): Found | null {
  const places = [
    ...(process.env.MLSYS_TFJS ? [process.env.MLSYS_TFJS] : []),
    placeOf("gpu"),
    placeOf("cpu"),
  ];
  for (const folder of places) {
    const installed = installedAt(folder);
    if (installed) return { name: installed.package, from: folder, installed };
  }
  for (const name of [PACKAGES.gpu, PACKAGES.cpu]) {
    try {
      createRequire(join(process.cwd(), "package.json")).resolve(`${name}/package.json`);
      return { name, from: process.cwd() };
    } catch {
      // the project does not have it
    }
  }
  return null;
}

/** From now on this instance is in use. */
export function keepTfjs(tf: Tfjs): void {
  loaded = tf;
}

/** The instance in use, or undefined while none is loaded. */
export const tfjsInUse = (): Tfjs | undefined => loaded;

/** Loads it, once. @throws DeviceError with what is missing */
export function loadTfjs(): Tfjs {
  if (loaded) return loaded;
  const place = findTfjs();
  if (!place) throw new DeviceError(`tfjs: ${MISSING}`);
  loaded = requireTfjs(place.from, place.name);
  return loaded;
}

export const MISSING = "TensorFlow for Node is not installed; get it with: npx mlsys devices install tfjs";

/** Loads the package `name` as a module in `folder` would. @throws DeviceError */
export function requireTfjs(folder: string, name: string): Tfjs {
  fillInUtil();
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2"; // 2: TensorFlow's own errors only, not what the processor could do
  try {
    return createRequire(join(folder, "package.json"))(name) as Tfjs;
  } catch (error) {
    const message = (error as Error).message.split("\n")[0];
    throw new DeviceError(
      `tfjs: ${name} in ${folder} does not load: ${message}; set it up again with: npx mlsys devices install tfjs --force`,
      { cause: error },
    );
  }
}

/** tfjs-node 4.22 calls functions of `util` that Node 23 and later no longer have. */
function fillInUtil(): void {
  const old = util as unknown as Record<string, unknown>;
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
}
