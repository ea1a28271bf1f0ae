/** The inner product of indirect convolution in C: a tile of pixels by panels of 16 filters in registers. */
import type { Toolchain } from "../../runtime/native/toolchain.js";
import { definitionsOf, helper, PRELUDE } from "../codegen/c/prelude.js";

/** Output pixels of an item; tiles divide it. */
export const TILE = 24;

/** Pixels and panels of the register tile: with AVX-512 12 × 2 vectors. */
export function tileShape({ vectorBytes, registers }: Toolchain): { pixels: number; panels: number } {
  if (registers >= 32 && vectorBytes === 64) return { pixels: 12, panels: 2 };
  return { pixels: vectorBytes >= 32 ? 6 : 2, panels: 1 };
}

/** `static void tile_PIXELS_PANELS(x, rows of pointers, taps, channels, w, panel, out)`: sums of one tile. */
function tile(pixels: number, panels: number, lanes: number): string {
  const each = 16 / lanes;
  const vectors = panels * each;
  const cells = Array.from({ length: pixels }, (_, r) =>
    Array.from({ length: vectors }, (_, v) => `c${r}_${v}`),
  );
  const type = `f32x${lanes}`;
  const b = (v: number): string => `w${Math.floor(v / each)} + k * 16 + ${(v % each) * lanes}`;
  return `
static void tile_${pixels}_${panels}(const uint8_t *x, const int32_t *const *rows, int64_t taps, int64_t channels, const float *w, int64_t panel, float *out) {
  ${type} ${cells
    .flat()
    .map((c) => `${c} = {0}`)
    .join(", ")};
  for (int64_t t = 0; t < taps; t++) {
    ${cells.map((_, r) => `const float *a${r} = (const float *)(x + rows[${r}][t]);`).join("\n    ")}
    ${Array.from({ length: panels }, (_, p) => `const float *w${p} = w + ${p} * panel;`).join(" ")}
    for (int64_t k = 0; k < channels; k++) {
      ${Array.from({ length: vectors }, (_, v) => `${type} b${v} = mls_load_${type}(${b(v)});`).join("\n      ")}
      ${cells.map((row, r) => row.map((c, v) => `${c} += a${r}[k] * b${v};`).join(" ")).join("\n      ")}
    }
    w += channels * 16;
  }
  ${cells.flatMap((row, r) => row.map((c, v) => `mls_store_${type}(out + ${r * panels * 16 + v * lanes}, ${c});`)).join("\n  ")}
}`;
}

/** Arguments: image, pointers, filters, y, pixels, taps, channels, filters; items (of TILE pixels) and grain. */
export function indirectSource(tools: Toolchain): string {
  const lanes = tools.vectorBytes / 4;
  const { pixels, panels } = tileShape(tools);
  const call = (count: number): string => `      {
        float out[${pixels} * ${count} * 16] __attribute__((aligned(64)));
        tile_${pixels}_${count}(x, rows, taps, channels, w + p * panel, panel, out);
        int64_t most = filters - p * 16 < ${count * 16} ? filters - p * 16 : ${count * 16};
        for (int64_t f = 0; f < most; f++)
          for (int64_t r = 0; r < there; r++) y[(p * 16 + f) * pixels + i + r] = out[r * ${count * 16} + f];
      }`;
  const steps =
    panels === 1
      ? `    for (int64_t p = 0; p * 16 < filters; p++)\n${call(1)}`
      : `    int64_t p = 0;
    for (; p * 16 + 16 < filters; p += 2)\n${call(2)}
    if (p * 16 < filters)\n${call(1)}`;
  const definitions = definitionsOf([helper("load", "float32", lanes), helper("store", "float32", lanes)]);
  return `${PRELUDE}${definitions}
${[...new Set([1, panels])].map((count) => tile(pixels, count, lanes)).join("\n")}

static void phase(uint8_t *base, const int32_t *args, int64_t from, int64_t to, uint8_t *scratch) {
  const uint8_t *x = base + (uint32_t)args[0];
  const int32_t *pointers = (const int32_t *)(base + (uint32_t)args[1]);
  const float *w = (const float *)(base + (uint32_t)args[2]);
  float *y = (float *)(base + (uint32_t)args[3]);
  const int64_t pixels = args[4], taps = args[5], channels = args[6], filters = args[7];
  const int64_t panel = taps * channels * 16;
  const int64_t end = to * ${TILE} < pixels ? to * ${TILE} : pixels;
  for (int64_t i = from * ${TILE}; i < end; i += ${pixels}) {
    const int64_t there = end - i < ${pixels} ? end - i : ${pixels};
    const int32_t *rows[${pixels}];
    for (int64_t r = 0; r < ${pixels}; r++) rows[r] = pointers + (i + (r < there ? r : there - 1)) * taps;
${steps}
  }
}

typedef void (*phase_fn)(uint8_t *, const int32_t *, int64_t, int64_t, uint8_t *);
typedef void (*launch_fn)(phase_fn, uint8_t *, const int32_t *, int64_t, int64_t, int64_t, int);

void mls_run(uint8_t *base, const int32_t *args, launch_fn launch, int threads) {
  launch(phase, base, args, args[8], args[9], 0, threads);
}
`;
}
