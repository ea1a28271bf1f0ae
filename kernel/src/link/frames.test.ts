import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeFrame, FrameReader } from "./frames.js";

it("brings back every message, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.jsonValue(), fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 3 })), {
        maxLength: 6,
      }),
      fc.array(fc.nat({ max: 40 }), { maxLength: 40 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(([message, buffers]) => encodeFrame(message, buffers)));
        const reader = new FrameReader<unknown>();
        const found: unknown[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          const chunk = stream.subarray(at, at + cut);
          at += chunk.length;
          if (chunk.length > 0)
            for (const { message, buffers } of reader.push(chunk))
              found.push([message, buffers.map((b) => [...b])]);
        }
        expect(found).toEqual(
          messages.map(([message, buffers]) => [
            JSON.parse(JSON.stringify(message)),
            buffers.map((b) => [...b]),
          ]),
        );
      },
    ),
  );
});

it("never hangs or reads past the end on garbage", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        new FrameReader().push(Buffer.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});
