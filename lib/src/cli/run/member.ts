/** A member's process: the script runs in it as `node script args` would run it, also if it is TypeScript. */
import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

/** The variable that says on which file descriptor the launcher's end is noticed. */
export const LIFELINE = "MLSYS_RUN_LIFELINE";

/** Runs a script in this process. Its errors are the process's own: not caught here. */
export async function runScript(script: string, args: readonly string[]): Promise<void> {
  const path = resolve(script);
  process.argv = [process.argv[0], path, ...args];
  takeTypeScript();
  await import(pathToFileURL(path).href);
}

/** From here on, imports in this process may be TypeScript's. */
export function takeTypeScript(): void {
  process.setSourceMapsEnabled(true);
  register(new URL("./typescript-hooks.js", import.meta.url), {
    data: { library: new URL("../../index.js", import.meta.url).href },
  });
}

/** Ends this process when the launcher is gone, on a thread of its own: the main one may compute for long. */
export function watchLauncher(): void {
  const descriptor = process.env[LIFELINE];
  if (descriptor === undefined) return;
  delete process.env[LIFELINE]; // processes that this one starts have no such descriptor
  const worker = new Worker(new URL("./lifeline.js", import.meta.url), {
    workerData: Number(descriptor),
    execArgv: [],
  });
  worker.unref();
}
