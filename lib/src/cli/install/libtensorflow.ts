/** TensorFlow's C library where the user has one: its shared objects and its headers. */
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { InstallError } from "./errors.js";

export interface Libtensorflow {
  /** Shared objects to link, in this order. */
  readonly libraries: readonly string[];
  /** Folder that `tensorflow/c/c_api.h` is in. */
  readonly include: string;
}

// As in PyPI's wheel, then as in the archive that tensorflow.org gives and in a system's packages.
const PAIRS = [
  [/^libtensorflow_cc\.so(\.2)?(\.[\d.]+)?$/, /^libtensorflow_framework\.so(\.2)?(\.[\d.]+)?$/],
  [/^libtensorflow\.so(\.2)?(\.[\d.]+)?$/, /^libtensorflow_framework\.so(\.2)?(\.[\d.]+)?$/],
];

/**
 * The library at `path`: a folder (of a wheel, an unpacked archive, a Python's `site-packages`, a prefix such as /usr) or
 * one of its shared objects.
 * @throws InstallError with where it looked
 */
export function locate(path: string): Libtensorflow {
  const given = resolve(path);
  if (!existsSync(given)) throw new InstallError(`--libtensorflow: there is no ${given}.`);
  const start = statSync(given).isDirectory() ? given : dirname(given);
  const folders = [start, join(start, "lib"), join(start, "tensorflow"), join(start, "lib64")];
  const libraries = folders.map(pairIn).find((pair) => pair !== null);
  if (!libraries)
    throw new InstallError(
      `--libtensorflow: no libtensorflow.so or libtensorflow_cc.so with libtensorflow_framework.so beside it in ${folders.join(", ")}.`,
    );
  const at = dirname(libraries[0]);
  const places = [at, dirname(at), start, dirname(dirname(at))].map((folder) => join(folder, "include"));
  const include = places.find((folder) => existsSync(join(folder, "tensorflow", "c", "c_api.h")));
  if (!include)
    throw new InstallError(
      `--libtensorflow: ${libraries[0]} has no headers: no tensorflow/c/c_api.h in ${[...new Set(places)].join(", ")}.`,
    );
  return { libraries, include };
}

/** Both objects of the library in a folder, each by its shortest name. */
function pairIn(folder: string): string[] | null {
  if (!existsSync(folder)) return null;
  const names = readdirSync(folder).sort((a, b) => a.length - b.length);
  for (const pair of PAIRS) {
    const both = pair.map((pattern) => names.find((name) => pattern.test(name)));
    if (both.every((name) => name !== undefined)) return both.map((name) => realpathOf(join(folder, name)));
  }
  return null;
}

/** The folder made real, the name kept: the linker notes the object's own name, the loader looks in this folder. */
const realpathOf = (file: string): string =>
  join(realpathSync(dirname(file)), file.slice(dirname(file).length + 1));
