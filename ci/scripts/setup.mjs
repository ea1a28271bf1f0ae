// What a fresh clone lacks: node packages, the build, a private Python environment with JupyterLab, the kernelspec.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprint, once, root, SetupError, step } from "./steps.mjs";

const windows = process.platform === "win32";
export const venv = join(root, ".venv");
export const venvPython = join(venv, windows ? "Scripts/python.exe" : "bin/python");

/** npm packages, as package-lock.json pins them (not `npm ci`: it refuses a lock that lacks some platform's optional packages). */
export async function nodePackages() {
  const manifests = [
    "package-lock.json",
    "package.json",
    "lib/package.json",
    "kernel/package.json",
    "ci/package.json",
  ];
  await once("node_modules/.mlsys-stamp", fingerprint(manifests, { content: true }), () =>
    step("node packages", windows ? "npm.cmd" : "npm", ["install", "--no-save", "--no-audit", "--no-fund"]),
  );
}

/** TypeScript to JavaScript. */
export async function build() {
  const sources = [
    "lib/src",
    "kernel/src",
    "ci/src",
    "tsconfig.base.json",
    "tsconfig.json",
    "package-lock.json",
  ];
  const configs = ["lib/tsconfig.json", "kernel/tsconfig.json", "ci/tsconfig.json"];
  await once(".mlsys/build-stamp", fingerprint([...sources, ...configs]), () =>
    step("build", process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--build"]),
  );
}

/** A driver for WebGPU on a Linux machine that has none; without it all but WebGPU works. */
export async function webgpuDriver() {
  if (process.platform !== "linux" || process.arch !== "x64") return;
  const installer = ["lib/src/cli/install/webgpu.ts", "lib/src/runtime/webgpu/vulkan.ts"];
  await once(".mlsys/webgpu-stamp", fingerprint(installer, { content: true }), () =>
    step("driver for WebGPU", process.execPath, [
      join(root, "lib/bin/mlsys.mjs"),
      "devices",
      "install",
      "webgpu",
    ]),
  ).catch((problem) => {
    if (!(problem instanceof SetupError)) throw problem;
    console.error(`WebGPU will not run here, all else will: ${problem.message}`);
  });
}

/** `[command, args]` of a Python that is new enough. @throws SetupError with what to install. */
export function findPython() {
  const candidates = windows
    ? [
        ["py", ["-3"]],
        ["python", []],
      ]
    : ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"].map(
        (name) => [name, []],
      );
  let old = "";
  for (const [command, args] of candidates) {
    try {
      const text = execFileSync(
        command,
        [...args, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
      ).trim();
      const [major, minor] = text.split(".").map(Number);
      if (major === 3 && minor >= 10) return [command, args];
      old ||= text;
    } catch {
      // not there, or it does not run: try the next one
    }
  }
  throw new SetupError(
    old
      ? `Python 3.10 or later is needed, this machine has ${old}: install one from https://python.org or your system's packages.`
      : "Python 3.10 or later is needed and none was found: install it from https://python.org or your system's packages (Debian, Ubuntu: apt install python3-venv).",
  );
}

/** Makes a virtual environment at `folder`. */
export async function makeVenv(folder, label) {
  const [python, args] = findPython();
  rmSync(folder, { recursive: true, force: true });
  try {
    await step(label, python, [...args, "-m", "venv", folder]);
  } catch (problem) {
    rmSync(folder, { recursive: true, force: true });
    const reason = problem instanceof Error ? problem.message : String(problem);
    if (!/ensurepip|No module named venv/.test(reason)) throw problem;
    await step(`${label} (virtualenv)`, python, [...args, "-m", "virtualenv", folder]).catch(() => {
      throw new SetupError(
        "This Python cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv) and try again.",
      );
    });
  }
}

/** Quiet; and the first completion may take its time: types are read then. */
const LAB_SETTINGS = {
  "@jupyterlab/apputils-extension:notification": { fetchNews: "false", checkForUpdates: false },
  "@jupyterlab/completer-extension:manager": { providerTimeout: 10_000 },
};

/** .venv with the pinned JupyterLab. */
export async function jupyter() {
  const digest = `${fingerprint(["ci/scripts/requirements.txt"], { content: true })} ${JSON.stringify(LAB_SETTINGS)} ${root}`;
  await once(".venv/.mlsys-stamp", digest, async () => {
    await makeVenv(venv, "Python environment");
    await step("JupyterLab", venvPython, [
      "-m",
      "pip",
      "install",
      "--disable-pip-version-check",
      "-r",
      join(root, "ci/scripts/requirements.txt"),
    ]);
    const settings = join(venv, "share/jupyter/lab/settings");
    mkdirSync(settings, { recursive: true });
    writeFileSync(join(settings, "overrides.json"), `${JSON.stringify(LAB_SETTINGS, null, 2)}\n`);
  });
  const digestOfSpec = `${process.execPath} ${fingerprint(["kernel/src/spec", "kernel/package.json", "kernel/assets"])}`;
  await once(".venv/.mlsys-kernelspec", digestOfSpec, () =>
    step("kernelspec", process.execPath, [
      join(root, "kernel/bin/mlsys-kernel.mjs"),
      "install",
      "--prefix",
      venv,
    ]),
  );
  // JupyterLab shows the stored drawings of notebooks that are trusted: those that came with the project are.
  const notebooks = readdirSync(join(root, "notebooks")).filter((name) => name.endsWith(".ipynb"));
  const files = notebooks.map((name) => `notebooks/${name}`);
  await once(".venv/.mlsys-trusted", fingerprint(files, { content: true }), () =>
    step("trust in the chapters", venvPython, ["-m", "nbformat.sign", ...files]),
  );
}
