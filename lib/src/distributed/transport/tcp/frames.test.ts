import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TransportError } from "../errors.js";
import { EAGER, type FrameHead, FrameReader, frameHead, HEADER, KIND, parseJson } from "./frames.js";

const kinds = Object.values(KIND);
const whole = fc.oneof(fc.nat(1000), fc.constantFrom(0, 2 ** 31, Number.MAX_SAFE_INTEGER));
const frames = fc.array(
  fc.record({
    kind: fc.constantFrom(KIND.message, KIND.body, KIND.control),
    tag: whole,
    number: whole,
    payload: fc.uint8Array({ maxLength: 300 }),
  }),
  { maxLength: 8 },
);

/** Reads all chunks; what was reserved for payloads is counted. */
function read(chunks: readonly Uint8Array[]) {
  const got: { head: FrameHead; payload: Uint8Array }[] = [];
  let reserved = 0;
  const reader = new FrameReader({
    place({ length }) {
      reserved += length;
      return new Uint8Array(length);
    },
    taken(head, payload) {
      got.push({ head, payload });
    },
  });
  let error: unknown = null;
  try {
    for (const chunk of chunks) reader.feed(chunk);
  } catch (caught) {
    error = caught;
  }
  return { got, reserved, error };
}

function inChunks(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, i) => bytes.subarray(i === 0 ? 0 : at[i - 1], end));
}

describe("frames", () => {
  it("come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 12 }), (list, cuts) => {
        const bytes = Buffer.concat(
          list.flatMap(({ kind, tag, number, payload }) => [
            frameHead({ kind, tag, number, length: payload.length }),
            payload,
          ]),
        );
        const { got, error } = read(inChunks(bytes, cuts));
        expect(error).toBeNull();
        expect(
          got.map(({ head, payload }) => ({
            kind: head.kind,
            tag: head.tag,
            number: head.number,
            payload: [...payload],
          })),
        ).toEqual(list.map(({ payload, ...head }) => ({ ...head, payload: [...payload] })));
      }),
    );
  });

  it("that are none are refused, and nothing is reserved for them", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: HEADER, maxLength: 400 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        (bytes, cuts) => {
          const { error, reserved } = read(inChunks(bytes, cuts));
          if (error === null) return; // it began as one does
          expect(error).toBeInstanceOf(TransportError);
          expect(reserved).toBeLessThan(2 ** 32);
        },
      ),
    );
  });

  it("of each kind have a greatest length, which is looked at before memory is taken", () => {
    for (const kind of kinds) {
      if (kind === KIND.body) continue; // as long as was offered
      const { error, reserved } = read([frameHead({ kind, length: 2 ** 31, tag: 0, number: 0 })]);
      expect([kind, error], String(kind)).toEqual([kind, expect.any(TransportError)]);
      expect(reserved).toBe(0);
    }
    expect(read([frameHead({ kind: KIND.message, length: EAGER, tag: 0, number: 0 })]).error).toBeNull();
  });

  it("with tags or numbers that count nothing are refused", () => {
    for (const tag of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
      expect(read([frameHead({ kind: KIND.ping, length: 0, tag, number: 0 })]).error).toBeInstanceOf(
        TransportError,
      );
  });

  it("hold JSON objects only", () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(parseJson(bytes('{"a":1}'))).toEqual({ a: 1 });
    for (const text of ["", "1", "null", "[]", "{", "\u0000"])
      expect(() => parseJson(bytes(text))).toThrow(TransportError);
    expect(() => parseJson(Uint8Array.of(0xff, 0xfe))).toThrow(TransportError);
  });
});
