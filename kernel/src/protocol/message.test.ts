import fc from "fast-check";
import { expect, it } from "vitest";
import { parseConnectionInfo } from "./connection.js";
import { Wire, WireError } from "./message.js";

const wire = new Wire("key", "session", "me");

it("reads back what it wrote, with identities and buffers", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.uint8Array()), (content, buffers) => {
      const message = wire.message("x_request", JSON.parse(JSON.stringify(content)), undefined, {
        identities: [Buffer.from("id")],
        buffers: buffers.map((b) => Buffer.from(b)),
      });
      expect(wire.decode(wire.encode(message))).toEqual(message);
    }),
  );
});

it("refuses a message when any byte that is signed was changed", () => {
  const frames = wire.encode(wire.message("execute_request", { code: "1" }));
  for (let part = 1; part < frames.length; part++) {
    const changed = frames.map((frame) => Buffer.from(frame));
    changed[part]![0]! ^= 1;
    expect(() => wire.decode(changed)).toThrow(WireError);
  }
  expect(() => new Wire("other").decode(frames)).toThrow("signature does not match");
});

it("answers any frames with a message or a WireError", () => {
  const open = new Wire("");
  fc.assert(
    fc.property(fc.array(fc.uint8Array(), { maxLength: 8 }), fc.boolean(), (parts, delimited) => {
      const frames = [
        ...(delimited ? [Buffer.from("<IDS|MSG>")] : []),
        ...parts.map((part) => Buffer.from(part)),
      ];
      expect(() => open.decode(frames)).toThrow(WireError);
    }),
  );
});

it.each([
  [{}, "transport is undefined"],
  [{ transport: "tcp", ip: "x", key: 5 }, "key is 5, expected a string"],
  [{ transport: "tcp", ip: "x", key: "", signature_scheme: "md5" }, 'expected "hmac-sha256"'],
  [{ transport: "tcp", ip: "x", key: "", shell_port: "1" }, 'shell_port is "1", expected a port number'],
])("says what is wrong with a connection file: %j", (info, message) => {
  expect(() => parseConnectionInfo(info, "file.json")).toThrow(message);
});
