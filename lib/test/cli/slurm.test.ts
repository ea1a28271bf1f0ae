import { execFile, execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { jobScript } from "../../src/cli/run/slurm.js";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const member = here("./scripts/member.ts");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-slurm-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), 0o755);
}

/** Runs a job script as sbatch would, on two machines that are this one. */
function sbatch(script: string): Promise<{ code: number; out: string }> {
  copyFileSync(here("./fake-srun.mjs"), join(folder, "srun"));
  chmodSync(join(folder, "srun"), 0o755);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  program("npx", `#!/bin/bash\nexec "${process.execPath}" "${here("../../bin/mlsys.mjs")}" "\${@:2}"\n`);
  program("scontrol", '#!/bin/bash\n[ "$*" = "show hostnames gpu[3-4]" ] && printf "gpu3\\ngpu4\\n"\n');
  program("job.sh", script);
  const env = {
    ...{ ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}`, NO_COLOR: "1" },
    ...{ SLURM_JOB_ID: "41007", SLURM_JOB_NODELIST: "gpu[3-4]", SLURM_JOB_NUM_NODES: "2" },
    ...{ SLURM_NTASKS: "4", SLURM_NTASKS_PER_NODE: "2", SLURM_PROCID: "0" },
  };
  for (const name of ["RANK", "WORLD_SIZE", "FORCE_COLOR"]) delete (env as NodeJS.ProcessEnv)[name];
  return new Promise((resolve) =>
    execFile("bash", [join(folder, "job.sh")], { env }, (error, out) =>
      resolve({ code: error ? Number(error.code) : 0, out }),
    ),
  );
}

const options = { maxRestarts: 0, slurm: true, backend: "tcp", processes: 2, nnodes: 2 } as const;

describe("mlsys run --slurm", () => {
  it("prints a job script that bash takes", () => {
    const text = jobScript("my train.ts", ["--name", "it's"], { ...options, cpus: 8, time: "04:00:00" });
    expect(text).toContain("#SBATCH --job-name=my-train\n#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=2\n");
    expect(text).toContain("#SBATCH --cpus-per-task=8\n#SBATCH --time=04:00:00\n");
    expect(text).toMatch(/npx mlsys run 'my train\.ts' --name 'it'\\''s'\n$/);
    execFileSync("bash", ["-n"], { input: text });
    const mpi = jobScript("a.ts", [], { ...options, backend: "mpi", maxRestarts: 2 });
    expect(mpi).toContain("srun --mpi=pmix ");
    expect(mpi).not.toContain("MASTER_ADDR");
    execFileSync("bash", ["-n"], { input: mpi });
  });

  it("starts the members, which find their places", async () => {
    const { code, out } = await sbatch(jobScript(member, ["say"], options));
    expect(code).toBe(0);
    const lines = out.split("\n").filter((line) => line.includes("gpu3"));
    expect(lines.map((line) => line.replace("no end of line", "")).sort()).toEqual([
      "4 0  gpu3",
      "4 0  gpu3",
      "4 1  gpu3",
      "4 1  gpu3",
    ]);
  });

  it("starts them again when one has failed", async () => {
    const { code, out } = await sbatch(jobScript(member, ["later"], { ...options, maxRestarts: 1 }));
    expect(code).toBe(0);
    expect(out.match(/restart 1/g)).toHaveLength(4);
  });
});
