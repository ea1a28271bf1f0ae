/**
 * Sums of products of 8-bit numbers in C, unsigned pixels by signed weights: four at a time by VNNI's instruction where the
 * processor has it (`codegen/c/dot.ts` says what is done elsewhere). A tile of pixels by panels of 16 channels is in registers.
 */
import type { Toolchain } from "../../runtime/native/toolchain.js";
import { definitionsOf, helper, PRELUDE } from "../codegen/c/prelude.js";

/** Pixels and panels of the register tile. */
function tileShape({ vectorBytes, registers }: Toolchain): { pixels: number; panels: number } {
  if (registers >= 32 && vectorBytes === 64) return { pixels: 12, panels: 2 };
  return { pixels: vectorBytes >= 32 ? 6 : 2, panels: 1 };
}

/** Pixels (rows) of an item; tiles divide it. */
export const ITEM = 24;

const list = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** `static void tile_PIXELS_PANELS(x, rows, words, pointers …)`: exact sums of one tile. */
function tile(pixels: number, panels: number, lanes: number): string {
  const each = 16 / lanes;
  const vectors = panels * each;
  const cells = list(pixels, (r) => list(vectors, (v) => `c${r}_${v}`));
  const type = `i32x${lanes}`;
  const b = (v: number): string =>
    `${type} b${v} = mls_load_${type}((const int32_t *)(w + ${Math.floor(v / each)} * panel + k * 64 + ${(v % each) * lanes * 4}));`;
  return `
static void tile_${pixels}_${panels}(const uint8_t *x, const int32_t *pointers, int64_t row, int64_t first, int64_t last, int64_t taps, int64_t words, const int8_t *w, int64_t panel, int32_t *out) {
  ${type} ${cells
    .flat()
    .map((c) => `${c} = {0}`)
    .join(", ")};
  ${list(pixels, (r) => `const int64_t i${r} = first + ${r} < last ? first + ${r} : last - 1;`).join("\n  ")}
  for (int64_t t = 0; t < taps; t++) {
    ${list(pixels, (r) => `const uint8_t *a${r} = x + (pointers ? pointers[i${r} * taps + t] : i${r} * row);`).join("\n    ")}
    for (int64_t k = 0; k < words; k++) {
      ${list(vectors, b).join("\n      ")}
      ${cells.map((cs, r) => `{ const ${type} a = mls_splat_${type}(mls_word(a${r} + 4 * k)); ${cs.map((c, v) => `${c} = mls_dot_us_${type}(${c}, a, b${v});`).join(" ")} }`).join("\n      ")}
    }
    w += words * 64;
  }
  ${cells.flatMap((cs, r) => cs.map((c, v) => `mls_store_${type}(out + ${r * panels * 16 + v * lanes}, ${c});`)).join("\n  ")}
}`;
}

/**
 * Arguments: x, out, channels, words, pixels, channelStep, pixelStep, flip (laying out; items and grain 0 where x lies so);
 * then pixels, pointers, w, y, sums, scale, bias, table, count, taps, words, rowBytes, channelStep, pixelStep, bytes, zero; items and
 * grain of both.
 */
export function quantizedSource(tools: Toolchain): string {
  const lanes = tools.vectorBytes / 4;
  const { pixels, panels } = tileShape(tools);
  const type = "int32" as const;
  const definitions = definitionsOf(
    ["load", "store", "splat", "dot_us"].map((name) => helper(name, type, lanes)),
  );
  const shapes = [...new Set([pixels, 4, 1])].flatMap((p) =>
    [...new Set([panels, 1])].map((q) => [p, q] as const),
  );
  const call = (q: number): string =>
    [...new Set([pixels, 4, 1])]
      .sort((a, b) => a - b)
      .map(
        (p) =>
          `${p === pixels ? "" : `if (there <= ${p}) `}tile_${p}_${q}(x, pointers, row, i, end, taps, words, w + p * panel, panel, sums);`,
      )
      .join("\n        else ");
  return `#pragma GCC optimize("fp-contract=off")
#pragma STDC FP_CONTRACT OFF
${PRELUDE}${definitions}
${shapes.map(([p, q]) => tile(p, q, lanes)).join("\n")}

/* Bytes (channel, pixel) to (pixel, channel), unsigned, channels filled to whole words. */
static void lay(uint8_t *base, const int32_t *args, int64_t from, int64_t to, uint8_t *scratch) {
  const uint8_t *x = base + (uint32_t)args[0];
  uint8_t *out = base + (uint32_t)args[1];
  const int64_t channels = args[2], words = args[3], pixels = args[4], cs = args[5], ps = args[6];
  const uint32_t flip = args[7] ? 0x80808080u : 0;
  const int64_t end = to * ${ITEM} < pixels ? to * ${ITEM} : pixels;
  for (int64_t first = from * ${ITEM}; first < end; first += ${ITEM})
    for (int64_t k = 0; k < words; k++) {
      const int64_t there = channels - 4 * k < 4 ? channels - 4 * k : 4;
      const int64_t count = end - first < ${ITEM} ? end - first : ${ITEM};
      const uint8_t *a = x + 4 * k * cs + first * ps;
      uint32_t line[${ITEM}];
      if (there == 4 && ps == 1 && count == ${ITEM}) { /* vectors of neighbours */
        const uint8_t *b = a + cs, *c = b + cs, *d = c + cs;
        for (int64_t i = 0; i < ${ITEM}; i++)
          line[i] = (a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24) ^ flip;
      } else
        for (int64_t i = 0; i < count; i++) {
          uint32_t word = 0;
          for (int64_t c = 0; c < there; c++) word |= (uint32_t)a[i * ps + c * cs] << (8 * c);
          line[i] = word ^ flip;
        }
      for (int64_t i = 0; i < count; i++) memcpy(out + ((first + i) * words + k) * 4, line + i, 4);
    }
}

static void product(uint8_t *base, const int32_t *args, int64_t from, int64_t to, uint8_t *scratch) {
  const uint8_t *x = base + (uint32_t)args[8];
  const int64_t pixels = args[9];
  const int32_t *pointers = args[10] ? (const int32_t *)(base + (uint32_t)args[10]) : 0;
  const int8_t *w = (const int8_t *)(base + (uint32_t)args[11]);
  uint8_t *y = base + (uint32_t)args[12];
  const int32_t *totals = (const int32_t *)(base + (uint32_t)args[13]);
  const float *scales = (const float *)(base + (uint32_t)args[14]);
  const float *biases = (const float *)(base + (uint32_t)args[15]);
  const float *table = (const float *)(base + (uint32_t)args[16]);
  const int64_t count = args[17], taps = args[18], words = args[19], row = args[20], cs = args[21], ps = args[22];
  const int bytes = args[23];
  const int32_t zero = args[24];
  const float least = table[0], most = table[1], inverse = table[2], origin = table[3], low = table[4], high = table[5];
  const int64_t panel = taps * words * 64;
  const int64_t end = to * ${ITEM} < pixels ? to * ${ITEM} : pixels;
  int32_t sums[${pixels * panels * 16}] __attribute__((aligned(64)));
  for (int64_t p = 0; p * 16 < count; p += ${panels}) {
    const int64_t most16 = ${panels * 16}, left = count - p * 16 < most16 ? count - p * 16 : most16;
    int32_t origins[${panels * 16}] = {0};
    float scale[${panels * 16}] = {0}, bias[${panels * 16}] = {0};
    for (int64_t f = 0; f < left; f++) {
      origins[f] = (int32_t)((uint32_t)zero * (uint32_t)totals[p * 16 + f]);
      scale[f] = scales[p * 16 + f];
      bias[f] = biases[p * 16 + f];
    }
    for (int64_t i = from * ${ITEM}; i < end; i += ${pixels}) {
      const int64_t there = end - i < ${pixels} ? end - i : ${pixels};
      const int64_t width = left > 16 ? ${panels * 16} : 16;
      ${panels === 1 ? call(1) : `if (left > 16) {\n        ${call(2)}\n      } else {\n        ${call(1)}\n      }`}
      float values[${pixels}][${panels * 16}];
      for (int64_t r = 0; r < there; r++) {
        const int32_t *sum = sums + r * width;
        for (int64_t f = 0; f < width; f++) {
          float v = (float)(sum[f] - origins[f]) * scale[f];
          v = v + bias[f];
          v = v > least ? v : least;
          values[r][f] = v < most ? v : most;
        }
      }
      const int64_t at = p * 16 * cs + i * ps;
      if (bytes) {
        uint8_t whole[${pixels}][${panels * 16}];
        for (int64_t r = 0; r < there; r++)
          for (int64_t f = 0; f < width; f++) {
            float v = __builtin_rintf(values[r][f] * inverse) + origin;
            v = v > low ? v : low;
            whole[r][f] = (uint8_t)(int32_t)(v < high ? v : high);
          }
        if (cs == 1) for (int64_t r = 0; r < there; r++) memcpy(y + at + r * ps, whole[r], left);
        else if (there == ${pixels})
          for (int64_t f = 0; f < left; f++) {
            uint8_t line[${pixels}];
            for (int64_t r = 0; r < ${pixels}; r++) line[r] = whole[r][f];
            memcpy(y + at + f * cs, line, ${pixels});
          }
        else
          for (int64_t f = 0; f < left; f++)
            for (int64_t r = 0; r < there; r++) y[at + f * cs + r] = whole[r][f];
      } else {
        float *to = (float *)y + at;
        if (cs == 1) for (int64_t r = 0; r < there; r++) memcpy(to + r * ps, values[r], left * 4);
        else
          for (int64_t f = 0; f < left; f++)
            for (int64_t r = 0; r < there; r++) to[f * cs + r] = values[r][f];
      }
    }
  }
}

typedef void (*phase_fn)(uint8_t *, const int32_t *, int64_t, int64_t, uint8_t *);
typedef void (*launch_fn)(phase_fn, uint8_t *, const int32_t *, int64_t, int64_t, int64_t, int);

void mls_run(uint8_t *base, const int32_t *args, launch_fn launch, int threads) {
  launch(lay, base, args, args[25], args[26], 0, threads);
  launch(product, base, args, args[27], args[28], 0, threads);
}
`;
}
