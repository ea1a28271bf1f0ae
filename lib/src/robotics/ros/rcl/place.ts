/** Where `mlsys ros install` puts ROS 2, and what it wrote there about it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { cacheFolder } from "../../../runtime/native/toolchain.js";

/** ROS 2's release that PyPI's wheels carry. */
export const PYPI_DISTRO = "kilted";

/** What an installation says of itself, in `installed.json`; written last, so a folder without it is not whole. */
export interface RosInstallation {
  /** Its folder: paths are whole, so a copy or a moved one is none. */
  readonly home: string;
  /** The release: kilted, jazzy, … */
  readonly distro: string;
  /** Where ROS 2 came from: PyPI's wheels, or what `setup.bash` had put into the environment. */
  readonly source: "pypi" | "sourced";
  /** Prefixes (with `lib/`, `share/`, `include/`), first looked at first. */
  readonly prefixes: readonly string[];
  /** Interface packages are built into this one. */
  readonly target: string;
  /** The Python that has rclpy. */
  readonly python: string;
  /** rclnodejs's folder, and its addon. */
  readonly rclnodejs: string;
  readonly addon: string;
  /** What was built with, so that a change of it is seen. */
  readonly request: string;
}

/** A ROS 2 that the environment names, as its `setup.bash` does. */
export interface SourcedRos {
  readonly distro: string;
  readonly prefixes: readonly string[];
}

/** Null unless `AMENT_PREFIX_PATH` and `ROS_DISTRO` name a ROS 2 that has rcl. */
export function sourcedRos(env: NodeJS.ProcessEnv = process.env): SourcedRos | null {
  const { ROS_DISTRO: distro, AMENT_PREFIX_PATH: path } = env;
  if (!distro || !path) return null;
  const prefixes = path.split(delimiter).filter(Boolean);
  return prefixes.some((prefix) => existsSync(join(prefix, "include", "rcl"))) ? { distro, prefixes } : null;
}

/**
 * The folder of the installation: `MLSYS_ROS_HOME`, else `ros/pypi`, or `ros/<release>` for a sourced ROS 2, in the
 * cache (`MLSYS_CACHE`, else the user's).
 */
export function rosHome(env: NodeJS.ProcessEnv = process.env): string {
  if (env.MLSYS_ROS_HOME) return env.MLSYS_ROS_HOME;
  return join(cacheFolder("ros"), sourcedRos(env)?.distro ?? "pypi");
}

/** What is installed at `home`, or null. */
export function rosInstallationAt(home: string): RosInstallation | null {
  try {
    const found = JSON.parse(readFileSync(join(home, "installed.json"), "utf8")) as RosInstallation;
    return found.home === resolve(home) ? found : null;
  } catch {
    return null; // none, or cut off while it was written: not whole
  }
}

/** Interface packages of the prefixes, with the prefix that each is in; the first prefix wins. */
export function interfacePackages(prefixes: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const prefix of prefixes) {
    const index = join(prefix, "share", "ament_index", "resource_index", "rosidl_interfaces");
    if (!existsSync(index)) continue;
    for (const name of readdirSync(index)) if (!found.has(name)) found.set(name, prefix);
  }
  return found;
}

/** Where the dynamic loader finds the libraries of a prefix: `lib`, and those that PyPI's wheels brought with them. */
export function libraryFolders(prefix: string): string[] {
  const folders = [join(prefix, "lib")];
  const lib = join(prefix, "lib");
  for (const python of existsSync(lib)
    ? readdirSync(lib).filter((name) => /^python3\.\d+$/.test(name))
    : []) {
    const site = join(lib, python, "site-packages");
    if (!existsSync(site)) continue;
    folders.push(
      ...readdirSync(site)
        .filter((name) => /^ros_.*\.libs$/.test(name))
        .map((name) => join(site, name)),
    );
  }
  return folders;
}
