/** Who gets in, and what strangers can do. */
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { AuthenticationError, type Connection, dial, listen, type Security } from "./connection.js";
import { frameHead, jsonFrame, KIND } from "./frames.js";
import { open } from "./transport.js";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A listener that admits, and what became of each who came. */
async function listener(security: Security) {
  const came: Promise<unknown>[] = [];
  let next: () => void = () => {};
  const { server, port } = await listen("127.0.0.1", 0, security, (connection: Connection) => {
    ends.push(() => connection.socket.destroy());
    came.push(
      connection.admit(security.secret ?? "").catch((error: Error) => {
        connection.end(error);
        return error;
      }),
    );
    next();
  });
  ends.push(() => server.close());
  const first = new Promise<void>((resolve) => {
    next = resolve;
  });
  return {
    port,
    first: async () => {
      await first;
      return came[0];
    },
  };
}

/** Sends bytes as a stranger would. @returns when the listener has hung up, what it had said */
function stranger(port: number, bytes: readonly Uint8Array[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      for (const one of bytes) socket.write(one);
    });
    const got: Buffer[] = [];
    socket.on("data", (chunk) => got.push(chunk));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" ? undefined : reject(error),
    );
    socket.on("close", () => resolve(Buffer.concat(got)));
    ends.push(() => socket.destroy());
  });
}

describe("connections", () => {
  it("open for those who know the secret, and carry what they claim to be", async () => {
    const { port, first } = await listener({ secret: "s" });
    const connection = await dial("127.0.0.1", port, { secret: "s" });
    ends.push(() => connection.socket.destroy());
    await connection.introduce({ to: "member", rank: 3 }, "s");
    expect(await first()).toEqual({ to: "member", rank: 3 });
  });

  it("refuse those who don't know it: the dialler sees it first, as the listener proves itself first", async () => {
    const { port, first } = await listener({ secret: "right" });
    const connection = await dial("127.0.0.1", port, {});
    ends.push(() => connection.socket.destroy());
    await expect(connection.introduce({ to: "member", rank: 3 }, "wrong")).rejects.toThrow(
      AuthenticationError,
    );
    connection.socket.destroy();
    expect(await first()).toBeInstanceOf(Error);
  });

  it("refuse a proof that is wrong, and one that was heard on another connection", async () => {
    const { port, first } = await listener({ secret: "right" });
    const hello = jsonFrame(KIND.hello, { to: "member", rank: 1, nonce: "AAAA" });
    const proof = jsonFrame(KIND.proof, { proof: Buffer.alloc(32).toString("base64") });
    await stranger(port, [hello, proof]);
    expect(await first()).toBeInstanceOf(AuthenticationError);
  });

  it("take no other frame before the handshake, and no long one", async () => {
    for (const bytes of [
      frameHead({ kind: KIND.message, length: 10, tag: 0, number: 0 }),
      frameHead({ kind: KIND.hello, length: 5000, tag: 0, number: 0 }),
      frameHead({ kind: KIND.proof, length: 2, tag: 0, number: 0 }),
      new TextEncoder().encode("GET / HTTP/1.1\r\nHost: here\r\n\r\n"),
    ]) {
      const { port, first } = await listener({ secret: "s" });
      expect((await stranger(port, [bytes])).length).toBe(0);
      expect(await first()).toMatchObject({ name: "TransportError" });
    }
  });

  it("are not listened for without a secret where others can come", async () => {
    await expect(listen("0.0.0.0", 0, {}, () => {})).rejects.toThrow(
      "tcp: 0.0.0.0 can be reached from other machines: give a `secret` that all members know",
    );
  });
});

describe("the store", () => {
  const config = (port: number, secret: string, serve?: number) => ({
    ...{ host: "127.0.0.1", port, secret, serve, rank: serve === undefined ? 1 : 0, storeRank: 0 },
    joinTimeout: 60_000,
  });

  it("gives a job of one what it asks for, and refuses a rank that is there or can't be", async () => {
    const alone = await open(config(0, "s", 1));
    expect([alone.rank, alone.size]).toEqual([0, 1]);
    await alone.close();
    await expect(open({ ...config(0, "s", 1), rank: 5 })).rejects.toThrow("tcp: rank 5 in a job of 1");
  });
});
