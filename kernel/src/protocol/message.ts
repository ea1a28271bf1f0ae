/**
 * The Jupyter message: its parts, its signature, and its form on the wire.
 * Host and client share this file, so that both sides can only be wrong together
 * with `jupyter_client`, which the tests run against.
 *
 * Source: "Messaging in Jupyter", protocol 5.5, sections "General message format" and "The wire protocol".
 */
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

export const PROTOCOL_VERSION = "5.5";

export type Json = Record<string, unknown>;

export interface Header {
  msg_id: string;
  session: string;
  username: string;
  date: string;
  msg_type: string;
  version: string;
  subshell_id?: string | null;
}

export interface Message {
  /** Routing prefix on shell, control and stdin; the topic on iopub. */
  identities: Buffer[];
  header: Header;
  parentHeader: Header | Record<string, never>;
  metadata: Json;
  content: Json;
  buffers: Buffer[];
}

/** Why a frame list is not a message of ours. The receiver drops it with this line in its log. */
export class WireError extends Error {
  override name = "WireError";
}

const DELIMITER = Buffer.from("<IDS|MSG>");

/** Signs and checks messages with HMAC-SHA256; an empty key turns signing off, as the protocol says. */
export class Wire {
  constructor(
    private readonly key: string,
    private readonly session: string = randomUUID(),
    private readonly username = "kernel",
  ) {}

  header(type: string): Header {
    return {
      msg_id: randomUUID(),
      session: this.session,
      username: this.username,
      date: new Date().toISOString(),
      msg_type: type,
      version: PROTOCOL_VERSION,
    };
  }

  message(type: string, content: Json, parent?: Message, extra: Partial<Message> = {}): Message {
    return {
      identities: parent?.identities ?? [],
      header: this.header(type),
      parentHeader: parent?.header ?? {},
      metadata: {},
      content,
      buffers: [],
      ...extra,
    };
  }

  encode(message: Message): Buffer[] {
    const parts = [message.header, message.parentHeader, message.metadata, message.content].map((part) =>
      Buffer.from(JSON.stringify(part)),
    );
    return [
      ...message.identities,
      DELIMITER,
      Buffer.from(this.signature(parts)),
      ...parts,
      ...message.buffers,
    ];
  }

  /** Reads one multipart message. @throws WireError when it is malformed or wrongly signed. */
  decode(frames: Buffer[]): Message {
    const at = frames.findIndex((frame) => frame.equals(DELIMITER));
    if (at < 0) throw new WireError(`no <IDS|MSG> delimiter among ${frames.length} frames`);
    if (frames.length < at + 6)
      throw new WireError(`${frames.length - at - 1} frames after the delimiter, expected at least 5`);
    const parts = frames.slice(at + 2, at + 6);
    this.verify(frames[at + 1]!, parts);
    const [header, parentHeader, metadata, content] = parts.map(parseObject);
    for (const field of ["msg_id", "msg_type", "session"] as const)
      if (typeof header![field] !== "string") throw new WireError(`header.${field} is not a string`);
    return {
      identities: frames.slice(0, at),
      header: header as unknown as Header,
      parentHeader: parentHeader as unknown as Header,
      metadata: metadata!,
      content: content!,
      buffers: frames.slice(at + 6),
    };
  }

  /** The signature that a message came with. */
  signatureOf(frames: Buffer[]): string {
    return frames[frames.findIndex((frame) => frame.equals(DELIMITER)) + 1]?.toString("latin1") ?? "";
  }

  private signature(parts: Buffer[]): string {
    if (this.key === "") return "";
    const hmac = createHmac("sha256", this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }

  private verify(given: Buffer, parts: Buffer[]): void {
    if (this.key === "") return;
    const expected = Buffer.from(this.signature(parts));
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new WireError("the signature does not match the connection's key");
  }
}

function parseObject(frame: Buffer, index: number): Json {
  const part = ["header", "parent_header", "metadata", "content"][index];
  let value: unknown;
  try {
    value = JSON.parse(frame.toString("utf8"));
  } catch (error) {
    throw new WireError(`${part} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new WireError(`${part} is not a JSON object`);
  return value as Json;
}
