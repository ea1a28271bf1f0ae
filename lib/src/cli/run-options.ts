/** `mlsys run`: its arguments. */
import { type Command, InvalidArgumentError } from "commander";

const whole =
  (least: number) =>
  (text: string): number => {
    if (!/^\d{1,9}$/.test(text) || Number(text) < least)
      throw new InvalidArgumentError(`A whole number from ${least} is expected.`);
    return Number(text);
  };

export interface RunArguments {
  readonly processes?: number;
  readonly nnodes?: number;
  readonly nodeRank?: number;
  readonly rdzv?: string;
  readonly maxRestarts: number;
  readonly elastic: boolean;
  readonly min?: number;
  readonly slurm: boolean;
  readonly backend: "tcp" | "mpi";
  readonly cpus?: number;
  readonly time?: string;
}

export function addRun(program: Command): void {
  program
    .command("run")
    .description(
      "run a script, JavaScript or TypeScript, as the members of a job: processes of this machine, or, under mpirun and srun, what those have started",
    )
    .argument("<script>", "what each member runs")
    .argument("[args...]", "the script's own arguments")
    .option("-n, --processes <count>", "members on this machine (default: 1)", whole(1))
    .option("--nnodes <count>", "machines of the job; mlsys run is started on each", whole(1))
    .option("--node-rank <number>", "this machine's number, from 0", whole(0))
    .option("--rdzv <url>", "where members of several machines meet: tcp://HOST:PORT on machine 0")
    .option("--max-restarts <count>", "when a member fails, start all again so often", whole(0), 0)
    .option(
      "--elastic",
      "for scripts that call distributed.elastic: only a member that failed is started again, the others go on",
      false,
    )
    .option("--min <count>", "--elastic: after the last restart, go on with no fewer than so many", whole(1))
    .option(
      "--slurm",
      "print a job script for Slurm instead: mlsys run --slurm … > job.sh; sbatch job.sh",
      false,
    )
    .option("--backend <name>", "--slurm: what members talk by, tcp or mpi", backend, "tcp")
    .option("--cpus <count>", "--slurm: cores of each member", whole(1))
    .option("--time <limit>", "--slurm: the job's time, such as 04:00:00")
    .passThroughOptions() // what follows the script is the script's
    .action(async (script: string, args: string[], options: RunArguments) => {
      if (options.slurm) {
        const { jobScript } = await import("./run/slurm.js");
        process.stdout.write(jobScript(script, args, options));
        return;
      }
      const { run } = await import("./run/run.js");
      const { nnodes, ...rest } = options;
      await run(script, args, { ...rest, nodes: nnodes });
    });
}

function backend(text: string): "tcp" | "mpi" {
  if (text === "tcp" || text === "mpi") return text;
  throw new InvalidArgumentError("tcp or mpi is expected.");
}
