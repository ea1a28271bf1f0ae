/**
 * c + Σ a · b over groups of four bytes, in C: by VNNI's instruction (unsigned times signed bytes; other signs by flipping
 * the upper bit, x ⊕ 128 = x ± 128), by AVX2's products of 16-bit pairs, or by plain arithmetic. Exact in each: sums wrap
 * round, and nothing saturates (as `pmaddubsw` would).
 */

/** Sign of the bytes of each operand: `u` or `s`. */
type Byte = "u" | "s";

/** Body of the definition for vectors of so many int32. */
export function dotText(signs: string, lanes: number): string {
  const [a, b] = signs as unknown as readonly [Byte, Byte];
  const ways: [when: string, text: string][] = [];
  if (lanes === 16) ways.push(["defined(__AVX512VNNI__)", vnni(a, b, 512, 16)]);
  if (lanes === 8)
    ways.push([
      "(defined(__AVX512VNNI__) && defined(__AVX512VL__)) || defined(__AVXVNNI__)",
      vnni(a, b, 256, 8),
    ]);
  if (lanes === 8) ways.push(["defined(__AVX2__)", pairs(a, b, 256)]);
  if (lanes === 4) ways.push(["defined(__SSE2__)", pairs(a, b, 128)]);
  const last = plain(a, b, lanes);
  return ways.length === 0
    ? `\n${last}\n`
    : `\n${ways.map(([when, text], i) => `#${i === 0 ? "if" : "elif"} ${when}\n${text}\n`).join("")}#else\n${last}\n#endif\n`;
}

/** gcc and clang name the instruction differently. */
function vnni(a: Byte, b: Byte, bits: number, lanes: number): string {
  const v = `i32x${lanes}`;
  const define = `#ifdef __clang__
#define DOT(c, u, s) ((${v})__builtin_ia32_vpdpbusd${bits}(c, u, s))
#else
#define DOT(c, u, s) ((${v})__builtin_ia32_vpdpbusd_v${lanes}si(c, u, s))
#endif
  const ${v} top = (${v}){0} + (int32_t)0x80808080u;`;
  const sum =
    a === "u" && b === "s"
      ? "DOT(c, a, b)"
      : a === "s" && b === "u"
        ? "DOT(c, b, a)"
        : a === "s"
          ? "DOT(c, a ^ top, b) - DOT(top ^ top, top, b)"
          : "DOT(c, a, b ^ top) - DOT(top ^ top, a, top)"; // top as signed bytes: −128
  return `${define}\n  return ${sum};\n#undef DOT`;
}

function pairs(a: Byte, b: Byte, bits: number): string {
  const words = bits / 16;
  const part = (x: string, sign: Byte, odd: boolean): string => {
    if (odd) return sign === "s" ? `((h)${x} >> 8)` : `(h)((w)${x} >> 8)`;
    return sign === "s" ? `(((h)${x} << 8) >> 8)` : `((h)${x} & 255)`;
  };
  const product = (odd: boolean): string =>
    `__builtin_ia32_pmaddwd${bits}(${part("a", a, odd)}, ${part("b", b, odd)})`;
  return `  typedef int16_t h __attribute__((vector_size(${bits / 8})));
  typedef uint16_t w __attribute__((vector_size(${bits / 8})));
  return c + (i32x${words / 2})${product(false)} + (i32x${words / 2})${product(true)};`;
}

function plain(a: Byte, b: Byte, lanes: number): string {
  const v = `i32x${lanes}`;
  const part = (x: string, sign: Byte): string => {
    const up = `((n)${x} << (24 - 8 * r))`;
    return sign === "s" ? `((${v})${up} >> 24)` : `(${v})(${up} >> 24)`;
  };
  return `  typedef uint32_t n __attribute__((vector_size(${lanes * 4})));
  for (int r = 0; r < 4; r++) c = (${v})((n)c + (n)(${part("a", a)} * ${part("b", b)}));
  return c;`;
}
