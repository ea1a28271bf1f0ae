/**
 * Installs the kernelspec into Jupyter's data folders, which it finds by Jupyter's own rules:
 * no Python is needed, except for `--sys-prefix`, which asks `python3` for its prefix.
 *
 * Source of the rules: jupyter_core.paths (jupyter_data_dir, SYSTEM_JUPYTER_PATH).
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DEFAULT_DISPLAY_NAME, DEFAULT_NAME, type KernelSpec, kernelSpec } from "./spec.js";

/** Where to install: the user's data folder unless a prefix is named. */
export interface InstallOptions {
  name?: string;
  displayName?: string;
  prefix?: string;
  sysPrefix?: boolean;
}

export interface InstalledSpec {
  name: string;
  directory: string;
  displayName: string;
  /** The program that it starts is still there. */
  usable: boolean;
}

const LOGOS = fileURLToPath(new URL("../../assets/", import.meta.url));

/** Writes the spec, replacing an older one. @returns its folder. */
export function installKernelSpec(options: InstallOptions = {}): string {
  const name = checkedName(options.name ?? DEFAULT_NAME);
  const directory = join(kernelsDirectory(options), name);
  mkdirSync(directory, { recursive: true });
  const spec = kernelSpec(options.displayName ?? DEFAULT_DISPLAY_NAME);
  writeFileSync(join(directory, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  if (existsSync(LOGOS))
    for (const file of readdirSync(LOGOS))
      if (file.startsWith("logo-")) cpSync(join(LOGOS, file), join(directory, file));
  return directory;
}

/** Removes the spec. @returns its folder, or undefined when there was none. */
export function uninstallKernelSpec(options: InstallOptions = {}): string | undefined {
  const directory = join(kernelsDirectory(options), checkedName(options.name ?? DEFAULT_NAME));
  if (!existsSync(join(directory, "kernel.json"))) return undefined;
  rmSync(directory, { recursive: true });
  return directory;
}

/** Every installed spec that starts this package's kernel, wherever Jupyter would look for it. */
export function listKernelSpecs(options: InstallOptions = {}): InstalledSpec[] {
  const roots = options.prefix || options.sysPrefix ? [kernelsDirectory(options)] : searchPath();
  return [...new Set(roots)].flatMap((root) =>
    (existsSync(root) ? readdirSync(root) : []).flatMap((name) => readSpec(join(root, name), name)),
  );
}

/** Folder of the kernelspecs that the options mean. */
export function kernelsDirectory({ prefix, sysPrefix }: InstallOptions = {}): string {
  if (prefix !== undefined) return join(prefix, "share", "jupyter", "kernels");
  if (sysPrefix) return join(pythonPrefix(), "share", "jupyter", "kernels");
  return join(userDataDirectory(), "kernels");
}

/** Jupyter's data folder of the user, by platform. */
export function userDataDirectory(platform = process.platform, env = process.env, home = homedir()): string {
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  if (platform === "darwin") return join(home, "Library", "Jupyter");
  if (platform === "win32") return join(env.APPDATA ?? join(home, "AppData", "Roaming"), "jupyter");
  return join(env.XDG_DATA_HOME || join(home, ".local", "share"), "jupyter");
}

function searchPath(): string[] {
  const shared =
    process.platform === "win32"
      ? [join(process.env.PROGRAMDATA ?? "C:\\ProgramData", "jupyter")]
      : ["/usr/local/share/jupyter", "/usr/share/jupyter"];
  const given = (process.env.JUPYTER_PATH ?? "").split(delimiter).filter(Boolean);
  return [...given, userDataDirectory(), ...shared].map((root) => join(root, "kernels"));
}

function readSpec(directory: string, name: string): InstalledSpec[] {
  try {
    const spec = JSON.parse(readFileSync(join(directory, "kernel.json"), "utf8")) as KernelSpec;
    const main = spec.argv[1] ?? "";
    if (!/[\\/]host[\\/]main\.js$/.test(main)) return [];
    const usable = existsSync(spec.argv[0]!) && existsSync(main);
    return [{ name, directory, displayName: spec.display_name, usable }];
  } catch {
    return [];
  }
}

function pythonPrefix(): string {
  for (const python of process.platform === "win32" ? ["python", "py"] : ["python3", "python"]) {
    try {
      return execFileSync(python, ["-c", "import sys; print(sys.prefix)"], { encoding: "utf8" }).trim();
    } catch {
      // Not on the path: try the next name.
    }
  }
  throw new Error(
    "--sys-prefix asks python3 for its prefix, but there is no python3 on PATH. Use --user or --prefix DIR.",
  );
}

/** Jupyter's own rule for the names of kernelspecs. */
function checkedName(name: string): string {
  if (/^[a-z0-9._-]+$/i.test(name)) return name;
  throw new Error(`"${name}" cannot name a kernelspec: use ASCII letters, digits, and . _ - only.`);
}
