/**
 * The connection file: where the five sockets are and which key signs their messages.
 * Source: "Messaging in Jupyter" / "Making kernels for Jupyter", section "Connection files".
 */
import { readFileSync } from "node:fs";

export type Channel = "shell" | "control" | "iopub" | "stdin" | "hb";
export const CHANNELS: readonly Channel[] = ["shell", "control", "iopub", "stdin", "hb"];

export interface ConnectionInfo {
  transport: "tcp" | "ipc";
  ip: string;
  shell_port: number;
  control_port: number;
  iopub_port: number;
  stdin_port: number;
  hb_port: number;
  key: string;
  signature_scheme: "hmac-sha256";
  kernel_name?: string;
}

/** Reads and checks a connection file. @throws Error naming the field, the value found and what was expected. */
export function readConnectionFile(file: string): ConnectionInfo {
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`Cannot read the connection file ${file}: ${(error as Error).message}`);
  }
  return parseConnectionInfo(raw, file);
}

export function parseConnectionInfo(raw: unknown, where: string): ConnectionInfo {
  const fail = (field: string, value: unknown, expected: string): never => {
    throw new Error(`${where}: ${field} is ${JSON.stringify(value)}, expected ${expected}.`);
  };
  if (typeof raw !== "object" || raw === null) return fail("the connection file", raw, "a JSON object");
  const info = raw as Record<string, unknown>;
  if (info.transport !== "tcp" && info.transport !== "ipc")
    fail("transport", info.transport, '"tcp" or "ipc"');
  if (typeof info.ip !== "string") fail("ip", info.ip, "a string");
  if (typeof info.key !== "string") fail("key", info.key, "a string");
  if (info.signature_scheme !== undefined && info.signature_scheme !== "hmac-sha256")
    fail("signature_scheme", info.signature_scheme, '"hmac-sha256"');
  for (const channel of CHANNELS) {
    const port = info[`${channel}_port`];
    if (!Number.isInteger(port) || (port as number) < 0)
      fail(`${channel}_port`, port, "a port number (or, for ipc, the number in the socket's file name)");
  }
  return { signature_scheme: "hmac-sha256", ...info } as unknown as ConnectionInfo;
}

/** zeromq address of one channel; for `ipc`, `ip` is the path prefix, as in jupyter_client. */
export function address(info: ConnectionInfo, channel: Channel): string {
  const port = info[`${channel}_port`];
  return info.transport === "ipc" ? `ipc://${info.ip}-${port}` : `tcp://${info.ip}:${port}`;
}
