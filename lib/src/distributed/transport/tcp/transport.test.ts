/** Leaving: what a member has sent before it left arrives, also where it holds the store and is read slowly. */
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { EAGER } from "./frames.js";
import { TcpTransport } from "./transport.js";

async function pair(): Promise<[TcpTransport, TcpTransport]> {
  const { port } = await new Promise<{ port: number }>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address() as { port: number };
      server.close(() => resolve(address));
    });
  });
  const config = { host: "127.0.0.1", port, joinTimeout: 10_000, storeRank: 0 };
  return Promise.all([
    TcpTransport.join({ ...config, rank: 0, serve: 2 }),
    TcpTransport.join({ ...config, rank: 1 }),
  ]);
}

describe("a member that leaves", () => {
  it("has delivered what it sent, however late it is read", async () => {
    const [first, second] = await pair();
    const pieces = Array.from({ length: 14 }, (_, i) => new Uint8Array(EAGER).fill(i));
    const sent = pieces.map((piece) => first.send(1, 0, piece));
    await Promise.all(sent);
    const left = first.close();
    for (const piece of pieces) {
      const into = new Uint8Array(EAGER);
      await second.receive(0, 0, into);
      expect(Buffer.compare(into, piece)).toBe(0);
    }
    await expect(second.receive(0, 0, new Uint8Array(1))).rejects.toThrow("rank 0 is gone: it said goodbye");
    await left;
    await second.close();
  });
});
