/** The real nbgrader from PyPI, in a virtual environment of the tests, with our kernel installed for it. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { kernelSpec } from "@mlsys/kernel/spec";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const VENV = join(ROOT, ".mlsys", "test-venv");
const VERSION = "0.9.5";

/** Why nbgrader can't be used here; `undefined` if it can. In CI a missing tool is an error, not a reason to skip. */
export function nbgraderMissing(): string | undefined {
  if (existsSync(join(VENV, "bin", "nbgrader"))) return undefined;
  const python = spawnSync("python3", ["--version"], { encoding: "utf8" });
  if (python.status === 0 || process.env.CI === "true") return undefined;
  return "python3 is not installed";
}

/** Makes the environment if it is not there. @throws with pip's message */
export function installNbgrader(): void {
  if (existsSync(join(VENV, "bin", "nbgrader"))) return;
  mkdirSync(join(ROOT, ".mlsys"), { recursive: true });
  if (!existsSync(join(VENV, "bin", "pip"))) execFileSync("python3", ["-m", "venv", VENV], { stdio: "pipe" });
  execFileSync(join(VENV, "bin", "pip"), ["install", "-q", `nbgrader==${VERSION}`], { stdio: "pipe" });
}

export interface NbgraderCourse {
  folder: string;
  run(...args: string[]): string;
  /** Runs Python in nbgrader's environment. */
  python(code: string, ...args: string[]): string;
}

export function nbgraderCourse(folder: string): NbgraderCourse {
  const kernels = join(folder, "jupyter", "kernels", "mlsys");
  mkdirSync(kernels, { recursive: true });
  writeFileSync(join(kernels, "kernel.json"), JSON.stringify(kernelSpec()));
  const ours = fileURLToPath(new URL("../../nbgrader_config.py", import.meta.url));
  writeFileSync(
    join(folder, "nbgrader_config.py"),
    `load_subconfig(${JSON.stringify(ours)})\nc = get_config()\nc.CourseDirectory.course_id = "test"\n`,
  );
  const env = {
    ...process.env,
    JUPYTER_PATH: join(folder, "jupyter"),
    JUPYTER_CONFIG_DIR: join(folder, "config"),
    JUPYTER_DATA_DIR: join(folder, "data"),
    HOME: folder,
    // nbgrader starts "alembic" by its bare name.
    PATH: `${join(VENV, "bin")}:${process.env.PATH}`,
    PYDEVD_DISABLE_FILE_VALIDATION: "1",
  };
  const execute = (file: string, args: string[]): string => {
    const done = spawnSync(join(VENV, "bin", file), args, {
      cwd: folder,
      env,
      encoding: "utf8",
      timeout: 200_000,
    });
    if (done.status !== 0)
      throw new Error(`${file} ${args.join(" ")} ended with ${done.status}\n${done.stdout}\n${done.stderr}`);
    return done.stdout;
  };
  return {
    folder,
    run: (...args) => execute("nbgrader", args),
    python: (code, ...args) => execute("python", ["-c", code, ...args]),
  };
}

/** For `afterAll`. */
export function removeCourse(course: NbgraderCourse): void {
  rmSync(course.folder, { recursive: true, force: true });
}
