/** `mlsys ros install`: a ROS 2 that rclnodejs and rclpy share, or what a sourced one lacks for it. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { COMMON_TEXTS } from "../../robotics/ros/interfaces/common/index.js";
import {
  interfacePackages,
  PYPI_DISTRO,
  type RosInstallation,
  rosHome,
  rosInstallationAt,
  sourcedRos,
} from "../../robotics/ros/rcl/place.js";
import { findCompiler } from "../install/addon.js";
import { InstallError } from "../install/errors.js";
import {
  addonFile,
  buildAddon,
  fetchRclnodejs,
  HOST_SOURCES,
  nodeHeaders,
  RCLNODEJS,
  rclnodejsFolder,
  releaseNumber,
} from "./addon.js";
import { checkRos } from "./check.js";
import { checkCanBuild } from "./compile.js";
import { forget, once } from "./done.js";
import { type BuiltInterfaces, buildInterfaces } from "./interfaces.js";
import { checkPlatform, findPython, installWheels, pythonInfo, WHEELS } from "./python.js";

export interface RosInstallOptions {
  /** Folder instead of `rosHome()`. */
  readonly home?: string;
  /** Installs anew what is there. */
  readonly force?: boolean;
  /** Compilers at once. */
  readonly jobs?: number;
}

/** Of the installer itself: a change of what it makes raises it. */
const EDITION = 1;

/**
 * Installs, or says that it is done. Stopped at any time, it goes on where it was.
 * @throws InstallError
 */
export async function installRos(
  { home: folder = rosHome(), force = false, jobs }: RosInstallOptions,
  signal: AbortSignal,
): Promise<RosInstallation> {
  checkCanBuild();
  const home = resolve(folder);
  const sourced = sourcedRos();
  if (!sourced) checkPlatform();
  const compiler = await findCompiler();
  const request = JSON.stringify({
    ...{ edition: EDITION, rclnodejs: RCLNODEJS, node: process.versions.node.split(".")[0] },
    host: createHash("sha256")
      .update(HOST_SOURCES.map((file) => readFileSync(file, "utf8")).join(""))
      .digest("hex"),
    ros: sourced ?? WHEELS,
  });
  if (force) rmSync(home, { recursive: true, force: true });
  const before = rosInstallationAt(home);
  if (before?.request === request) {
    const works = await checkRos(home, signal).catch((error: unknown) => {
      if (!(error instanceof InstallError)) throw error;
      process.stderr.write(`What is there does not work (${error.message}): it is made anew.\n`);
      for (const part of ["python", "npm", "addon"]) forget(home, part);
    });
    if (works) return before;
  }
  mkdirSync(home, { recursive: true });
  rmSync(join(home, "installed.json"), { force: true });

  const base = sourced ? await useSourced(sourced, home) : await usePypi(home, signal);
  const js = join(home, "js");
  await once(home, "npm", RCLNODEJS, () => fetchRclnodejs(js, signal));
  await once(home, "addon", request, async () => {
    const headers = await nodeHeaders(join(home, "node"), base.python, signal);
    const { distro, prefixes } = base;
    await buildAddon({
      ...{ home, compiler, distro, prefixes, nodeHeaders: headers, signal },
      ...(jobs !== undefined && { jobs }),
    });
  });
  const ros = { home, ...base, rclnodejs: rclnodejsFolder(home), addon: addonFile(home), request };
  const lacking = writeLacking(home, ros.prefixes, ros.target);
  report(await buildInterfaces(lacking, { home, ros, compiler, signal }));
  writeFileSync(join(home, "installed.json"), `${JSON.stringify(ros, null, 2)}\n`);
  try {
    await checkRos(home, signal);
  } catch (error) {
    rmSync(join(home, "installed.json"), { force: true });
    throw error;
  }
  return ros;
}

type Base = Pick<RosInstallation, "distro" | "source" | "prefixes" | "target" | "python">;

async function usePypi(home: string, signal: AbortSignal): Promise<Base> {
  const env = join(home, "env");
  const python = await findPython();
  await once(home, "python", JSON.stringify([python, WHEELS]), () => installWheels(env, python, signal));
  return {
    ...{ distro: PYPI_DISTRO, source: "pypi", prefixes: [env], target: env },
    python: join(env, "bin", "python"),
  };
}

async function useSourced(
  { distro, prefixes }: { distro: string; prefixes: readonly string[] },
  home: string,
): Promise<Base> {
  releaseNumber(distro);
  const python = await pythonInfo("python3");
  if (!python)
    throw new InstallError(
      "ROS 2 is sourced but python3 does not run, which its generators of messages need: install it (Debian, Ubuntu: apt install python3).",
    );
  const target = join(home, "overlay");
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, "setup.sh"), setupScript(target, python.version));
  return {
    ...{ distro, source: "sourced", target, python: python.executable },
    prefixes: [target, ...prefixes.filter((prefix) => prefix !== target)],
  };
}

/** Sourced by a shell, what was built is known to `ros2` and to rclpy's programs as well. */
const setupScript = (target: string, python: string): string =>
  [
    ["AMENT_PREFIX_PATH", target],
    ["LD_LIBRARY_PATH", join(target, "lib")],
    ["PYTHONPATH", join(target, "lib", `python${python}`, "site-packages")],
  ]
    .map(([name, value]) => `export ${name}="${value}\${${name}:+${delimiter}$${name}}"\n`)
    .join("");

/** Packages whose interfaces the library has and this ROS 2 has not: the book's own, and those that PyPI lacks. */
function writeLacking(home: string, prefixes: readonly string[], target: string): string[] {
  const there = interfacePackages(prefixes);
  const folders = new Set<string>();
  for (const [name, text] of Object.entries(COMMON_TEXTS)) {
    const [pkg, kind, type] = name.split("/");
    const prefix = there.get(pkg);
    if (prefix !== undefined && prefix !== target) continue;
    if (prefix === target && !existsSync(join(home, "definitions", pkg))) continue; // the wheels' own
    const folder = join(home, "definitions", pkg);
    mkdirSync(join(folder, kind), { recursive: true });
    writeFileSync(join(folder, kind, `${type}.${kind}`), `${text}\n`);
    folders.add(folder);
  }
  return [...folders];
}

/** `mlsys ros build-interfaces`. @throws InstallError if ROS 2 is not installed */
export async function buildMoreInterfaces(
  folders: readonly string[],
  { home = rosHome() }: Pick<RosInstallOptions, "home">,
  signal: AbortSignal,
): Promise<BuiltInterfaces[]> {
  const ros = rosInstallationAt(home);
  if (!ros) throw new InstallError("ROS 2 is not installed here; first: npx mlsys ros install");
  const compiler = await findCompiler();
  return report(await buildInterfaces(folders, { home, ros, compiler, signal }));
}

function report(built: BuiltInterfaces[]): BuiltInterfaces[] {
  const why = built.find(({ withoutPython }) => withoutPython)?.withoutPython;
  if (why) process.stderr.write(`rclpy cannot use ${built.map(({ name }) => name).join(", ")}: ${why}.\n`);
  return built;
}
