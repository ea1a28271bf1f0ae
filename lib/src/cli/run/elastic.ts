/** `mlsys run --elastic`: members that call `distributed.elastic`, kept alive by `distributed.supervise`. */
import { MlsysError } from "../../core/errors.js";
import { supervise } from "../../distributed/launch/supervise.js";
import { CommandError, ExitCode } from "../errors.js";
import { labelOf, prefixLines } from "./prefix.js";
import { codeOf, commandOf, MEMBER_STDIO, memberEnvironment, say } from "./processes.js";
import type { RunOptions } from "./run.js";

/** @throws ExitCode of the member that failed last, when too few are left */
export async function launchElastic(
  script: string,
  args: readonly string[],
  { processes = 1, nodes, rdzv, maxRestarts, min = processes }: RunOptions,
): Promise<void> {
  if (nodes !== undefined || rdzv !== undefined)
    throw new CommandError("--elastic is for one machine: --nnodes and --rdzv are not for it");
  if (min > processes) throw new CommandError(`--min is ${min}, but --processes is ${processes}`);
  const stopped = new AbortController();
  const signals: readonly (readonly [NodeJS.Signals, number])[] = [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ];
  const handlers = signals.map(([name, code]) => {
    const handler = (): void => stopped.abort(new ExitCode(code));
    process.prependListener(name, handler); // before the command's own, which exits at the second
    return [name, handler] as const;
  });
  let [started, code] = [0, 1];
  try {
    await supervise(commandOf(script, args), processes, {
      ...{ maxRestarts, min, env: memberEnvironment(), stdio: [...MEMBER_STDIO], signal: stopped.signal },
      onStart(child) {
        const number = started++;
        const label = labelOf(number, processes + maxRestarts);
        if (child.stdout) prefixLines(child.stdout, process.stdout, label);
        if (child.stderr) prefixLines(child.stderr, process.stderr, label);
        child.on("exit", (status, signal) => {
          if (status === 0 || stopped.signal.aborted) return;
          code = codeOf(status, signal);
          say(`member ${number} (process ${child.pid}) ended with ${signal ?? `exit code ${status}`}`);
        });
      },
    });
  } catch (error) {
    if (error instanceof ExitCode || !(error instanceof MlsysError)) throw error;
    say(error.message.replace(/^supervise: /, ""));
    throw new ExitCode(code);
  } finally {
    for (const [name, handler] of handlers) process.off(name, handler);
  }
}
