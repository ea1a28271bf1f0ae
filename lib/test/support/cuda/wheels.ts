/** NVIDIA's compiler and headers from PyPI, in a folder of the clone: NVRTC compiles without a GPU. */
import "./patience.js";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const WHEELS = ["nvidia-cuda-nvrtc==13.5.37", "nvidia-cuda-runtime==13.5.37"];
const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

/** Installs them once. @returns the folder, for MLSYS_CUDA_PATH */
export function cudaWheels(): string {
  const folder = join(ROOT, ".mlsys", "cuda-wheels");
  const stamp = join(folder, `${WHEELS.join("+")}.done`);
  if (existsSync(stamp)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const venv = join(ROOT, ".venv", process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  execFileSync(
    existsSync(venv) ? venv : "python3",
    [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
      "--no-deps",
      "--target",
      folder,
      ...WHEELS,
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  writeFileSync(stamp, "");
  return folder;
}

/** Header files below a folder, by name. */
export function headerFile(folder: string, name: string): string | null {
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((path) =>
    path.endsWith(`include/${name}`),
  );
  return found ? join(folder, found) : null;
}
