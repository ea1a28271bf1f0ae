/** What a message handler works with: one object per message, and the services of the kernel behind it. */

import type { DebugService } from "../debug/service.js";
import type { ConnectionInfo } from "../protocol/connection.js";
import type { Json, Message } from "../protocol/message.js";
import type { TypeService } from "../types/client.js";
import type { RequestChannel } from "./channels.js";
import type { Comms } from "./comms.js";
import type { Executor } from "./executor.js";
import type { History } from "./history.js";

export interface Services {
  readonly executor: Executor;
  readonly types: TypeService;
  readonly history: History;
  readonly comms: Comms;
  readonly debug: DebugService;
  readonly connection: ConnectionInfo;
  /** Ends the kernel, after the reply is sent. */
  shutdown(restart: boolean): Promise<void>;
  log(line: string): void;
}

export interface Request {
  readonly channel: RequestChannel;
  readonly message: Message;
  /** The message's content: from outside, so every field is checked where it is used. */
  readonly content: Json;
  /** Publishes on iopub as an effect of this request. */
  publish(type: string, content: Json, extra?: { metadata?: Json; buffers?: Buffer[] }): void;
}

/** Returns the reply's content, or undefined where the message has no reply. */
export type Handler = (request: Request, kernel: Services) => Promise<Json | undefined> | Json | undefined;

export function stringField(content: Json, name: string): string {
  const value = content[name];
  return typeof value === "string" ? value : "";
}

export function booleanField(content: Json, name: string, otherwise: boolean): boolean {
  const value = content[name];
  return typeof value === "boolean" ? value : otherwise;
}

export function numberField(content: Json, name: string, otherwise: number): number {
  const value = content[name];
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}
