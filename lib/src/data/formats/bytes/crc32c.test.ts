import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c, portableCrc32c } from "./crc32c.js";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("CRC-32C", () => {
  it("gives the values of RFC 3720, appendix B.4", () => {
    for (const crc of [crc32c, portableCrc32c]) {
      expect(crc(new Uint8Array(32))).toBe(0x8a9136aa);
      expect(crc(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
      expect(crc(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
      expect(crc(ascii("123456789"))).toBe(0xe3069283);
      expect(crc(new Uint8Array(0))).toBe(0);
    }
  });

  it("is the same by instruction and by table, at once and in parts", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, fc.nat(300), fc.nat(7), (all, cut, skip) => {
        const part = all.subarray(skip);
        const whole = portableCrc32c(part);
        expect(crc32c(part)).toBe(whole);
        expect(crc32c(part.subarray(cut), portableCrc32c(part.subarray(0, cut)))).toBe(whole);
      }),
    );
  });
});
