/**
 * A shared secret as CURVE keys: who has it can speak to a data service, and what is said is encrypted. Both key pairs come
 * from the secret, so there are no key files; the server asks for the client's key too, not only the client for the server's.
 * (CurveZMQ, ZeroMQ RFC 26; authentication: ZAP, RFC 27.)
 */
import { createPrivateKey, createPublicKey, scryptSync, timingSafeEqual } from "node:crypto";
import type { Context } from "zeromq";
import { MlsysError, ValueError } from "../../core/errors.js";

export type ZeroMQ = typeof import("zeromq");

let library: ZeroMQ | null = null;

/** @throws MlsysError that says what to install */
export async function zeromq(): Promise<ZeroMQ> {
  try {
    const found = await import("zeromq");
    library ??= ((found as { default?: ZeroMQ }).default ?? found) as ZeroMQ;
    return library;
  } catch (cause) {
    throw new MlsysError(`data service: the package zeromq can't be loaded: ${(cause as Error).message}`, {
      cause,
    });
  }
}

type Role = "server" | "client";

interface Keys {
  readonly publicKey: string;
  readonly secretKey: string;
  /** The public key as 32 bytes. */
  readonly raw: Buffer;
}

const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** ZeroMQ RFC 32: five characters for four bytes. */
function z85(bytes: Buffer): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4) {
    const word = bytes.readUInt32BE(i);
    for (let power = 85 ** 4; power >= 1; power /= 85) text += Z85[Math.floor(word / power) % 85];
  }
  return text;
}

/** PKCS 8 of an X25519 key, up to its 32 bytes. */
const X25519 = Buffer.from("302e020100300506032b656e04220420", "hex");

const derived = new Map<string, Keys>();

function keysOf(secret: string, role: Role): Keys {
  const id = `${role} ${secret}`;
  const known = derived.get(id);
  if (known) return known;
  const raw = scryptSync(secret, `mlsys data service ${role}`, 32);
  const key = createPrivateKey({ key: Buffer.concat([X25519, raw]), format: "der", type: "pkcs8" });
  const open = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
  const keys = { publicKey: z85(open), secretKey: z85(raw), raw: open };
  derived.set(id, keys);
  return keys;
}

/** @throws ValueError for one that could be guessed at once */
export function checkSecret(secret: string | undefined): void {
  if (secret !== undefined && secret.length < 16)
    throw new ValueError(`data service: a secret has at least 16 characters, got ${secret.length}`);
}

/** Options of a socket that binds. */
export function serverKeys(secret: string | undefined): object {
  if (secret === undefined) return {};
  const { publicKey, secretKey } = keysOf(secret, "server");
  return { curveServer: true, curvePublicKey: publicKey, curveSecretKey: secretKey, zapDomain: "mlsys" };
}

/** Options of a socket that connects. */
export function clientKeys(secret: string | undefined): object {
  if (secret === undefined) return {};
  const { publicKey, secretKey } = keysOf(secret, "client");
  return {
    curveServerKey: keysOf(secret, "server").publicKey,
    curvePublicKey: publicKey,
    curveSecretKey: secretKey,
  };
}

/** Answers the sockets of a context whether a client may come in. @returns how to stop it */
export async function guard(zmq: ZeroMQ, context: Context, secret: string): Promise<() => void> {
  const { raw } = keysOf(secret, "client");
  const gate = new zmq.Reply({ context, linger: 0 });
  await gate.bind("inproc://zeromq.zap.01");
  void (async () => {
    for await (const [version, request, , , , mechanism, key] of gate) {
      const known = String(mechanism) === "CURVE" && key?.length === 32 && timingSafeEqual(key, raw);
      await gate.send([version, request, known ? "200" : "400", known ? "OK" : "another secret", "", ""]);
    }
  })().catch(() => {}); // it was closed
  return () => gate.close();
}

/**
 * What is said to code that others send is carried out: without a secret nobody but this machine may.
 * @throws ValueError for another address
 */
export function checkAddress(what: string, address: string, secret: string | undefined): void {
  if (!/^(tcp|ipc):\/\/./.test(address))
    throw new ValueError(
      `${what}: an address is tcp://HOST:PORT or ipc://FILE, got ${JSON.stringify(address)}`,
    );
  const host = /^tcp:\/\/(.*):/.exec(address)?.[1];
  const here = host === undefined || /^(127\.[\d.]+|localhost|\[::1\])$/.test(host);
  if (!here && secret === undefined)
    throw new ValueError(
      `${what}: ${address} can be reached from other machines, and whoever reaches it can have code run; give a secret`,
    );
}
