/**
 * tfjs-node's N-API addon, compiled against a libtensorflow. One call of the C++ compiler: Node's own headers are not needed,
 * the N-API's (npm `node-api-headers`) are all that it includes, and the same addon then loads in every Node from 18 on.
 */
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { InstallError } from "./errors.js";
import type { Libtensorflow } from "./libtensorflow.js";
import { command } from "./steps.js";

const SOURCES = ["binding/tfjs_backend.cc", "binding/tfjs_binding.cc"];
/** Where the package looks, for the newest N-API version that it knows. */
const ADDON = "lib/napi-v8/tfjs_binding.node";
const NAPI_VERSION = 8;

const run = promisify(execFile);

/** The C++ compiler: `MLSYS_CXX`, else the first of c++, g++, clang++. @throws InstallError */
export async function findCompiler(): Promise<string> {
  const wanted = process.env.MLSYS_CXX;
  const candidates = wanted !== undefined ? [wanted] : ["c++", "g++", "clang++"];
  for (const compiler of candidates) {
    try {
      await run(compiler, ["--version"]);
      return compiler;
    } catch {
      // not there
    }
  }
  throw new InstallError(
    `A C++ compiler is needed to build tfjs-node's addon and none was found (tried ${candidates.join(", ") || "nothing: MLSYS_CXX is empty"}): install one (Debian, Ubuntu: apt install g++), or name it in MLSYS_CXX.`,
  );
}

/**
 * Builds the addon of the package at `folder/node_modules/name`.
 * @param rpath where the addon looks for the library when it is loaded; may start with $ORIGIN
 */
export async function buildAddon(
  folder: string,
  name: string,
  { libraries, include }: Libtensorflow,
  rpath: string,
  signal: AbortSignal,
): Promise<void> {
  const compiler = await findCompiler();
  const home = join(folder, "node_modules", name);
  const addon = join(home, ADDON);
  mkdirSync(dirname(addon), { recursive: true });
  const headers = join(folder, "node_modules", "node-api-headers", "include");
  await command(
    "building the addon",
    compiler,
    [
      ...["-std=c++17", "-O2", "-fPIC", "-shared", "-w", `-DNAPI_VERSION=${NAPI_VERSION}`],
      ...["-I", headers, "-I", home, "-I", include],
      ...SOURCES.map((source) => join(home, source)),
      ...["-o", addon, ...libraries, `-Wl,-rpath,${rpath}`],
    ],
    {
      signal,
      explain: (output) => {
        const header = /fatal error: (\S+): No such file/.exec(output)?.[1];
        if (header)
          return `${compiler} misses ${header}: ${header.startsWith("tensorflow/") || header.includes("tsl/") ? `the headers in ${include} are not whole` : "the C++ standard library's headers are not installed (Debian, Ubuntu: apt install g++)"}.`;
        const symbol = /undefined reference to [`'"]?(\w+)/.exec(output)?.[1];
        if (symbol)
          return `${libraries[0]} has no ${symbol}: it is another version, or not TensorFlow's C library.`;
        return undefined;
      },
    },
  );
}

/** `$ORIGIN` of the addon led back to the installation's folder. */
export const FROM_ADDON = `$ORIGIN/${"../".repeat(5)}`.slice(0, -1);
