/** `mlsys serve`: a server in a process of its own, until SIGTERM or SIGINT; SIGHUP has it look for new versions. */
import { statSync } from "node:fs";
import colors from "picocolors";
import { isModelFolder, nameOf } from "../deploy/serve/repository.js";
import { deploy } from "../index.js";
import type { ServeArguments } from "./serve-options.js";

type Options = deploy.ServeOptions;

/** @throws ServeError for a path that is not there, a name that is given twice, a model that can't be loaded. */
export async function runServer(
  paths: readonly string[],
  options: ServeArguments,
  signal: AbortSignal,
): Promise<void> {
  const log = options.log
    ? (entry: deploy.RequestLog) =>
        process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`)
    : undefined;
  const server = await deploy.serve({
    ...(await places(paths)),
    defaults: defaultsOf(options),
    port: options.port,
    grpcPort: options.grpc ? options.grpcPort : false,
    host: options.host,
    maxBody: options.maxBody,
    log,
  });
  try {
    for (const row of await server.index()) process.stdout.write(`${rowAsText(server, row)}\n`);
    process.stdout.write(`HTTP ${server.url}\n${server.grpcUrl === null ? "" : `gRPC ${server.grpcUrl}\n`}`);
    await untilAborted(signal, () => renew(server), options.poll);
    process.stdout.write("Closing: requests that are here are answered.\n");
  } finally {
    await server.close({ graceMs: options.grace, drainMs: options.drain });
  }
}

/** Files and folders of versions by name, and folders of models. */
async function places(paths: readonly string[]): Promise<Pick<Options, "models" | "repositories">> {
  const models: Record<string, string> = {};
  const repositories: string[] = [];
  for (const argument of paths) {
    const [, given, path] = /^(?:([A-Za-z0-9_.-]+)=)?(.*)$/s.exec(argument) as RegExpExecArray;
    const info = statSync(path, { throwIfNoEntry: false });
    if (!info) throw new deploy.ServeError("NOT_FOUND", `${path} is not there`);
    if (info.isDirectory() && given === undefined && !(await isModelFolder(path))) {
      repositories.push(path);
      continue;
    }
    const name = given ?? nameOf(path);
    if (Object.hasOwn(models, name))
      throw new deploy.ServeError("INVALID_ARGUMENT", `two models are named "${name}": write NAME=${path}`);
    models[name] = path;
  }
  return { models, repositories };
}

function defaultsOf(options: ServeArguments): deploy.ModelOptions {
  const { maxBatch, maxDelay, preferred, pad } = options;
  const asked = { maxBatch, maxDelayMs: maxDelay, preferred, pad };
  const isAsked = Object.values(asked).some((value) => value !== undefined);
  return {
    batching: options.batching ? (isAsked ? asked : undefined) : false,
    instances: options.instances,
    threads: options.threads,
    device: options.device,
    maxQueue: options.maxQueue,
    timeoutMs: options.timeout,
  };
}

function rowAsText(server: deploy.ModelServer, { name, version, state, reason }: deploy.IndexEntry): string {
  const mark = state === "READY" ? colors.green("✓") : colors.yellow("–");
  if (state !== "READY") return `${mark} ${name} ${version} ${state} ${reason}`;
  const { inputs, outputs, platform } = server.metadata(name, version);
  const types = (specs: typeof inputs) =>
    specs.map((spec) => `${spec.name} ${spec.datatype}[${spec.shape}]`).join(", ");
  return `${mark} ${name} ${version} (${platform}): ${types(inputs)} → ${types(outputs)}`;
}

async function renew(server: deploy.ModelServer): Promise<void> {
  for (const { error } of await server.reloadAll())
    process.stderr.write(`${colors.red("mlsys:")} ${error.message}\n`);
}

/** Renews at every SIGHUP, and every so many seconds; one after the other. */
async function untilAborted(
  signal: AbortSignal,
  renewModels: () => Promise<void>,
  seconds: number | undefined,
): Promise<void> {
  let last = Promise.resolve();
  const again = (): void => {
    last = last.then(renewModels);
  };
  const timer = seconds ? setInterval(again, 1000 * seconds) : undefined;
  process.on("SIGHUP", again);
  try {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  } finally {
    clearInterval(timer);
    process.off("SIGHUP", again);
  }
}
