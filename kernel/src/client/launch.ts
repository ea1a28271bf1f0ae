/** Starts a kernel process with a connection file of its own, over tcp or ipc. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHANNELS, type ConnectionInfo } from "../protocol/connection.js";

export interface LaunchSpec {
  /** Command line as in kernel.json, with `{connection_file}` where the file's name goes. */
  argv: readonly string[];
  env?: Record<string, string>;
}

export interface LaunchOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** `ipc` uses sockets in a private folder, `tcp` ports of 127.0.0.1. */
  transport?: "ipc" | "tcp";
  /** What to do with the kernel's own output; `pipe` leaves it to the caller. */
  stdio?: "ignore" | "inherit" | "pipe";
  /** Starts the kernel in a process group of its own, so that the group can be ended as one. */
  detached?: boolean;
}

export interface KernelProcess {
  readonly process: ChildProcess;
  readonly connection: ConnectionInfo;
  readonly connectionFile: string;
  /** Ends the process, waits for it, and removes the connection file. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

export async function launchKernel(spec: LaunchSpec, options: LaunchOptions = {}): Promise<KernelProcess> {
  const { connection, connectionFile, directory } = await makeConnection(
    options.transport ?? (process.platform === "win32" ? "tcp" : "ipc"),
  );
  const [command, ...args] = spec.argv.map((part) => part.replace("{connection_file}", connectionFile));
  const child = spawn(command!, args, {
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, JPY_PARENT_PID: String(process.pid), ...spec.env, ...options.env },
    stdio: ["ignore", options.stdio ?? "ignore", options.stdio ?? "ignore"],
    detached: options.detached ?? false,
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  return {
    process: child,
    connection,
    connectionFile,
    async kill(signal = "SIGKILL") {
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) child.kill(signal);
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface ConnectionPlace {
  connection: ConnectionInfo;
  connectionFile: string;
  /** Holds the file, and the sockets of `ipc`; whoever made it removes it. */
  directory: string;
}

/** Addresses and a key for a kernel that is about to start, in a private folder. */
export async function makeConnection(transport: "ipc" | "tcp"): Promise<ConnectionPlace> {
  const directory = mkdtempSync(join(tmpdir(), "kernel-"));
  const ports =
    transport === "ipc" ? CHANNELS.map((_, index) => index + 1) : await freePorts(CHANNELS.length);
  const connection = {
    transport,
    ip: transport === "ipc" ? join(directory, "s") : "127.0.0.1",
    key: randomUUID(),
    signature_scheme: "hmac-sha256",
    ...Object.fromEntries(CHANNELS.map((channel, index) => [`${channel}_port`, ports[index]])),
  } as ConnectionInfo;
  const connectionFile = join(directory, "connection.json");
  writeFileSync(connectionFile, JSON.stringify(connection), { mode: 0o600 });
  return { connection, connectionFile, directory };
}

/** Asks the system for ports that are free now; all are held until all are known, so they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
