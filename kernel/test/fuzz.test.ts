/**
 * Frames and messages that no honest client sends, on every socket: each is dropped or refused with a line in the log
 * or an error reply, and the kernel goes on.
 */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { HANDLERS } from "../src/host/handlers/index.js";
import { address } from "../src/protocol/connection.js";
import { type Json, Wire } from "../src/protocol/message.js";
import { startKernel, type TestKernel, text, until } from "./kernel.js";

type Socket = "shell" | "control" | "stdin";
const SOCKETS: readonly Socket[] = ["shell", "control", "stdin"];
const TYPES = [...Object.keys(HANDLERS), "execute_request", "input_reply", "debug_request"];
/** Requests that are answered whatever they hold; the others have no reply, or end the kernel. */
const ANSWERED = [...TYPES].filter((type) => /_request$/.test(type) && !/^(shutdown|debug)_/.test(type));
/** Every field that some message has, to be filled with whatever comes. */
const FIELDS = [
  ...["code", "cursor_pos", "detail_level", "silent", "store_history", "user_expressions", "allow_stdin"],
  ...["stop_on_error", "hist_access_type", "session", "start", "stop", "n", "pattern", "unique", "output"],
  ...[
    "comm_id",
    "target_name",
    "data",
    "value",
    "status",
    "subshell_id",
    "restart",
    "type",
    "seq",
    "command",
  ],
  ...["arguments", "breakpoints", "threadId", "__proto__", "constructor", "toString"],
];
const RUNS = Number(process.env.FUZZ_RUNS ?? 60);

let kernel: TestKernel;
let pid: number | undefined;
beforeAll(async () => {
  kernel = await startKernel({ env: { MLSYS_MAX_MESSAGE: String(1024 * 1024) } });
  await kernel.client.execute("const kept = 42");
  pid = kernel.process.process.pid;
});
afterAll(() => kernel.stop());

/** A peer of its own for each case: zeromq may cut off whoever sends nonsense. */
async function withPeer(channel: Socket, send: (peer: Dealer) => Promise<void>): Promise<void> {
  const peer = new Dealer({ linger: 1_000, sendTimeout: 5_000 });
  peer.connect(address(kernel.process.connection, channel));
  await send(peer);
  peer.close();
}

/**
 * The kernel answers on shell and control, and has lost neither its process nor its variables. What was sent before
 * may still come, and rightly stop a cell: an interrupt, or the error of a cell that those behind it do not outlive.
 */
async function healthy(): Promise<void> {
  await kernel.client.request("kernel_info_request", {}, { channel: "control", timeoutMs: 20_000 });
  await expect
    .poll(async () => text(await kernel.client.execute("kept", { timeoutMs: 20_000 })), { timeout: 60_000 })
    .toBe("42");
  expect(kernel.process.process.exitCode).toBeNull();
  expect(kernel.process.process.pid).toBe(pid);
}

const frame = fc.oneof(
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((json) => Buffer.from(json)),
  fc.constantFrom("<IDS|MSG>", "", "{}", "[]", "null", '{"msg_id":1}').map((part) => Buffer.from(part)),
);

it("outlives any frames on any socket", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...SOCKETS),
      fc.array(fc.array(frame, { minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 8 }),
      async (channel, messages) =>
        withPeer(channel, async (peer) => {
          for (const frames of messages) await peer.send(frames);
        }),
    ),
    { numRuns: RUNS },
  );
  await healthy();
  expect(kernel.log()).toContain("no <IDS|MSG> delimiter");
});

it("outlives any signed message: header, parent, metadata and content of wrong shapes", {
  timeout: 120_000,
}, async () => {
  const wire = new Wire(kernel.process.connection.key, "fuzzer");
  const types = fc.constantFrom(...TYPES, "no_such_request", "__proto__", "constructor", "");
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...SOCKETS),
      types,
      fc.dictionary(fc.constantFrom(...FIELDS), fc.jsonValue({ maxDepth: 3 })),
      fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })),
      fc.oneof(fc.constant(undefined), fc.jsonValue({ maxDepth: 1 })),
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 3 }),
      async (channel, type, content, odd, subshell, buffers) => {
        if (type === "shutdown_request") return;
        const message = wire.message(type, content as Json, undefined, {
          metadata: odd as Json,
          parentHeader: odd as never,
          buffers: buffers.map((bytes) => Buffer.from(bytes)),
        });
        if (subshell !== undefined) message.header.subshell_id = subshell as string;
        await withPeer(channel, (peer) => peer.send(wire.encode(message)));
      },
    ),
    { numRuns: RUNS * 5 },
  );
  await healthy();
});

it.each(ANSWERED)("answers %s whatever its content", { timeout: 60_000 }, async (type) => {
  const channel = /^(interrupt|usage|(create|delete|list)_subshell)_/.test(type) ? "control" : "shell";
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...FIELDS), fc.jsonValue({ maxDepth: 2 })),
      async (content) => {
        const options = { channel, timeoutMs: 10_000 } as const;
        const { reply } = await kernel.client.request(type, content as Json, options);
        expect(reply.header.msg_type).toBe(type.replace("_request", "_reply"));
        expect(String(reply.content.status)).toMatch(/^(ok|error|aborted|complete|incomplete|invalid)$/);
      },
    ),
    { numRuns: Math.ceil(RUNS / 4) },
  );
});

it("drops an oversized message with a log line, and takes a large one", { timeout: 60_000 }, async () => {
  const wire = new Wire(kernel.process.connection.key, "large");
  const sized = (bytes: number) =>
    wire.encode(
      wire.message("execute_request", {
        code: `globalThis.size = ${"1".repeat(9)}; /*${"x".repeat(bytes)}*/`,
      }),
    );
  await withPeer("shell", (peer) => peer.send(sized(1024 * 1024)));
  await until(() => kernel.log().includes("expected at most 1048576"));
  // Past four times the limit zeromq does not even take it in.
  await withPeer("shell", (peer) => peer.send(sized(5 * 1024 * 1024)));
  expect(text(await kernel.client.execute("'size' in globalThis"))).toBe("false");
  expect(text(await kernel.client.execute(`'${"y".repeat(500_000)}'.length`))).toBe("500000");
  await healthy();
});

it("outlives deeply nested JSON and many frames", async () => {
  const { key } = kernel.process.connection;
  const wire = new Wire(key, "deep");
  const [delimiter, , header, parent, metadata] = wire.encode(wire.message("comm_msg", {}));
  const content = Buffer.from(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`);
  const parts = [header!, parent!, metadata!, content];
  const signature = createHmac("sha256", key).update(Buffer.concat(parts)).digest("hex");
  await withPeer("shell", (peer) => peer.send([delimiter!, Buffer.from(signature), ...parts]));
  await withPeer("control", (peer) => peer.send(Array.from({ length: 20_000 }, () => Buffer.from("x"))));
  await withPeer("stdin", (peer) => peer.send(wire.encode(wire.message("execute_request", { code: "1" }))));
  await until(() => kernel.log().includes("no handler for execute_request on stdin"));
  await healthy();
});
