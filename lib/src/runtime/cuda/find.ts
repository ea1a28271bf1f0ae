/**
 * Where NVIDIA's libraries are: a folder named in MLSYS_CUDA_PATH, a toolkit (CUDA_PATH, /usr/local/cuda), wheels of PyPI in
 * the active or a named Python environment, or what the system's loader finds by name.
 */

import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { koffi } from "../native/ffi.js";
import type { CodeTable } from "./errors.js";
import { bindLibrary, checkedLibrary, type Library, type Signatures } from "./table.js";

export type CudaLibrary = "nvrtc" | "cublas" | "cublasLt" | "cudnn" | "nccl";

/** Major versions that our bindings fit, newest first, and the PyPI package that carries the library. */
const KNOWN: Readonly<Record<CudaLibrary, { majors: readonly number[]; wheel: string }>> = {
  nvrtc: { majors: [13, 12], wheel: "nvidia-cuda-nvrtc" },
  cublas: { majors: [13, 12], wheel: "nvidia-cublas" },
  cublasLt: { majors: [13, 12], wheel: "nvidia-cublas" },
  cudnn: { majors: [9], wheel: "nvidia-cudnn-cu13" },
  nccl: { majors: [2], wheel: "nvidia-nccl-cu13" },
};

/** Name of a library's file as Linux or Windows has it. */
function fileNames(library: CudaLibrary): string[] {
  const { majors } = KNOWN[library];
  if (process.platform !== "win32") return majors.map((major) => `lib${library}.so.${major}`);
  return majors.map((major) =>
    library === "nvrtc" ? `nvrtc64_${major}0_0.dll` : `${library}64_${major}.dll`,
  );
}

/** Sub-folders of an installation that may hold shared libraries. */
function libraryFolders(root: string): string[] {
  const folders = [
    root,
    ...["lib", "lib64", "bin", "bin/x64", "targets/x86_64-linux/lib"].map((f) => join(root, f)),
  ];
  for (const site of sitePackages(root)) {
    const nvidia = join(site, "nvidia");
    if (!existsSync(nvidia)) continue;
    for (const part of readdirSync(nvidia))
      folders.push(join(nvidia, part, "lib"), join(nvidia, part, "bin"));
  }
  return folders;
}

/** Folders of Python packages under an environment, or the folder itself if packages were unpacked into it. */
function sitePackages(root: string): string[] {
  const lib = join(root, "lib");
  const versions = existsSync(lib) ? readdirSync(lib).filter((name) => /^python3/.test(name)) : [];
  return [root, join(root, "Lib", "site-packages"), ...versions.map((v) => join(lib, v, "site-packages"))];
}

/** The places that are searched, in order. */
function roots(): string[] {
  const { MLSYS_CUDA_PATH, CUDA_PATH, CUDA_HOME, VIRTUAL_ENV, CONDA_PREFIX } = process.env;
  const named = (MLSYS_CUDA_PATH ?? "").split(delimiter);
  return [...named, CUDA_PATH, CUDA_HOME, VIRTUAL_ENV, CONDA_PREFIX, "/usr/local/cuda"].filter(
    (path): path is string => !!path,
  );
}

/**
 * Paths or names to try to load, best first. Only files that exist, and then the bare names, which the system's loader may
 * know.
 */
export function libraryCandidates(library: CudaLibrary): string[] {
  const names = fileNames(library);
  const files = roots()
    .flatMap(libraryFolders)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .filter((path) => existsSync(path));
  return [...files, ...names];
}

/** A library of this machine with checked results, or what is missing and how to get it. */
export function openLibrary<S extends Signatures>(
  library: CudaLibrary,
  signatures: S,
  codes: CodeTable,
): Library<S> | string {
  const ffi = koffi();
  if (typeof ffi === "string") return ffi;
  let damaged = "";
  for (const path of libraryCandidates(library)) {
    try {
      return checkedLibrary(signatures, bindLibrary(path, signatures), codes);
    } catch (error) {
      if (existsSync(path)) damaged = ` (${(error as Error).message})`;
    }
  }
  return `lib${library} is missing${damaged}: pip install ${KNOWN[library].wheel} into an environment and name its folder in MLSYS_CUDA_PATH, or install NVIDIA's toolkit`;
}
