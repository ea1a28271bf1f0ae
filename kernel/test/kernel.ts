/** A kernel of ours for a test, driven by the same client that others use. It runs what `npm run build` built. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KernelClient } from "../src/client/client.js";
import { type KernelProcess, launchKernel } from "../src/client/launch.js";

export const HOST = fileURLToPath(new URL("../dist/host/main.js", import.meta.url));

export interface TestKernel {
  client: KernelClient;
  process: KernelProcess;
  /** The notebook's folder. */
  directory: string;
  /** Lines of the kernel's own log. */
  log(): string;
  stop(): Promise<void>;
}

export async function startKernel(
  options: { directory?: string; env?: Record<string, string>; transport?: "ipc" | "tcp" } = {},
): Promise<TestKernel> {
  if (!existsSync(HOST))
    throw new Error(`${HOST} is missing: run "npx tsc -b kernel" before the kernel's tests.`);
  const own = options.directory === undefined;
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "notebook-"));
  const kernel = await launchKernel(
    { argv: [process.execPath, HOST, "{connection_file}"] },
    {
      cwd: directory,
      transport: options.transport ?? "ipc",
      stdio: "pipe",
      env: { MLSYS_HISTORY: join(directory, ".history.jsonl"), ...options.env },
    },
  );
  let log = "";
  kernel.process.stderr?.on("data", (chunk: Buffer) => {
    log += String(chunk);
  });
  kernel.process.stdout?.resume();
  const client = await KernelClient.connect(kernel.connection);
  return {
    client,
    process: kernel,
    directory,
    log: () => log,
    async stop() {
      client.close();
      await kernel.kill();
      if (own) rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function text(result: { result?: Record<string, unknown> }): unknown {
  return result.result?.["text/plain"];
}

/** Waits until `condition` holds; the caller's test fails by its own timeout otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
