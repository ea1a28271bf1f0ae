/** The monitor as a process of its own: the driving stack can't hang it, crash it or take its memory. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { MlsysError } from "../../core/errors.js";
import { GraphHost } from "../ros/graph/host.js";
import { LINK_TO_PARENT } from "../ros/graph/link/environment.js";
import type { ParameterInput } from "../ros/node/parameter-value.js";
import { type HostSelection, rosHost } from "../ros/select.js";

const MAIN = fileURLToPath(new URL("./monitor-main.js", import.meta.url));

export interface MonitorProcessOptions extends HostSelection {
  readonly namespace?: string;
  /** Of `safetyMonitorNode`. */
  readonly parameters?: Readonly<Record<string, ParameterInput>>;
  readonly remap?: Readonly<Record<string, string>>;
}

/** The running process. */
export interface MonitorProcess extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Ends it in order; the wheels lose their power. */
  stop(): Promise<void>;
}

/**
 * Starts `safety_monitor` in a process of its own, on the graph of the given host; resolves when it is there.
 * @throws MlsysError if it ends before, with its last words
 * @example
 * await using monitor = await robotics.safety.startSafetyMonitor({ parameters: { max_speed: 0.3 } });
 */
export async function startSafetyMonitor(options: MonitorProcessOptions = {}): Promise<MonitorProcess> {
  const { namespace, parameters, remap } = options;
  const host = await rosHost(options);
  const linked = host instanceof GraphHost;
  const given = { namespace, parameters, remap, host: host.kind, domain: host.domain };
  const child = fork(MAIN, [JSON.stringify(given)], {
    serialization: "advanced",
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    env: { ...process.env, ...(linked && LINK_TO_PARENT) },
  });
  let words = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-4000);
    process.stderr.write(chunk);
  });
  if (linked) host.linkChild(child);
  const gone = once(child, "exit");
  const ready = new Promise<void>((resolve) => {
    child.on("message", (message) => {
      if (message === "ready") resolve();
    });
  });
  await Promise.race([
    ready,
    gone.then(([code, signal]) => {
      throw new MlsysError(`the safety monitor ended (${signal ?? `exit code ${code}`}): ${words.trim()}`);
    }),
  ]);
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await gone;
  };
  return { process: child, pid: child.pid as number, stop, [Symbol.asyncDispose]: stop };
}
