/**
 * Sparse products in C. Rows of a CSR matrix times a dense one: for each nonzero weight a vector of neighbouring columns; and
 * blocks of 16 outputs that share an input, which read dense rows as they lie, so that a weight is used for several rows.
 */

/** Outputs of a block: a vector of AVX-512, two of AVX2, four of the others. */
export const BLOCK = 16;
/** Rows of an item of the CSR product. */
export const CSR_ROWS = 32;
/** Rows of x in an item of the block product. */
export const BLOCK_ROWS = 64;

const HEAD = (vectorBytes: number): string => `#include <stdint.h>
#define LANES ${vectorBytes / 4}
typedef float v __attribute__((vector_size(${vectorBytes}), aligned(4), may_alias));
typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef void (*phase_fn)(uint8_t *, const int32_t *, int64_t, int64_t, uint8_t *);
typedef void (*launch_fn)(phase_fn, uint8_t *, const int32_t *, int64_t, int64_t, int64_t, int);
#define F(i) ((float *)(base + (uint32_t)args[i]))
#define I(i) ((const int32_t *)(base + (uint32_t)args[i]))
`;

/** starts, columns, values, b, c, rows, p, ldb, ldc, items, grain: c[i, :] = Σ values · b[columns, :]. Items: columns outside. */
export const csrSource = (vectorBytes: number): string => `${HEAD(vectorBytes)}
/* Two sets of sums: a chain of dependent additions each would leave half of the units idle. */
static inline void wide(const int32_t *at, const float *w, int32_t n, const float *b, int64_t ldb, float *c) {
  v s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, t0 = {0}, t1 = {0}, t2 = {0}, t3 = {0};
  int32_t k = 0;
  for (; k + 2 <= n; k += 2) {
    const float *x = b + at[k] * ldb, *y = b + at[k + 1] * ldb;
    const float p = w[k], q = w[k + 1];
    s0 += p * ((const v *)x)[0]; s1 += p * ((const v *)x)[1]; s2 += p * ((const v *)x)[2]; s3 += p * ((const v *)x)[3];
    t0 += q * ((const v *)y)[0]; t1 += q * ((const v *)y)[1]; t2 += q * ((const v *)y)[2]; t3 += q * ((const v *)y)[3];
  }
  if (k < n) {
    const float *x = b + at[k] * ldb;
    const float p = w[k];
    s0 += p * ((const v *)x)[0]; s1 += p * ((const v *)x)[1]; s2 += p * ((const v *)x)[2]; s3 += p * ((const v *)x)[3];
  }
  ((v *)c)[0] = s0 + t0; ((v *)c)[1] = s1 + t1; ((v *)c)[2] = s2 + t2; ((v *)c)[3] = s3 + t3;
}
#define NARROW(name, type) \\
static inline void name(const int32_t *at, const float *w, int32_t n, const float *b, int64_t ldb, float *c) { \\
  type s[4] = {0}; \\
  int32_t k = 0; \\
  for (; k + 4 <= n; k += 4) \\
    for (int i = 0; i < 4; i++) s[i] += w[k + i] * *(const type *)(b + at[k + i] * ldb); \\
  for (; k < n; k++) s[0] += w[k] * *(const type *)(b + at[k] * ldb); \\
  *(type *)c = (s[0] + s[1]) + (s[2] + s[3]); \\
}
NARROW(single, v)
NARROW(four, v4)
/* One column: sums of their own, not lanes of a vector, for gathering into lanes is slower than loading one by one. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("no-tree-vectorize", "no-tree-slp-vectorize")))
#endif
static void one(const int32_t *at, const float *w, int32_t n, const float *b, int64_t ldb, float *c) {
  float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
  int32_t k = 0;
  for (; k + 8 <= n; k += 8) {
    const int32_t *a = at + k;
    const float *u = w + k;
    s0 += u[0] * b[a[0] * ldb]; s1 += u[1] * b[a[1] * ldb]; s2 += u[2] * b[a[2] * ldb]; s3 += u[3] * b[a[3] * ldb];
    s4 += u[4] * b[a[4] * ldb]; s5 += u[5] * b[a[5] * ldb]; s6 += u[6] * b[a[6] * ldb]; s7 += u[7] * b[a[7] * ldb];
  }
  for (; k < n; k++) s0 += w[k] * b[at[k] * ldb];
  *c = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
}

static void phase(uint8_t *base, const int32_t *args, int64_t from, int64_t to, uint8_t *scratch) {
  const int32_t *starts = I(0), *columns = I(1);
  const float *values = F(2), *b = F(3);
  float *c = F(4);
  const int64_t rows = args[5], p = args[6], ldb = args[7], ldc = args[8];
  const int64_t blocks = (rows + ${CSR_ROWS - 1}) / ${CSR_ROWS};
  for (int64_t item = from; item < to; item++) {
    const int64_t j0 = item / blocks * 4 * LANES, i0 = item % blocks * ${CSR_ROWS};
    const int64_t j1 = j0 + 4 * LANES < p ? j0 + 4 * LANES : p, i1 = i0 + ${CSR_ROWS} < rows ? i0 + ${CSR_ROWS} : rows;
    for (int64_t i = i0; i < i1; i++) {
      const int32_t *at = columns + starts[i];
      const float *w = values + starts[i];
      const int32_t n = starts[i + 1] - starts[i];
      float *row = c + i * ldc;
      int64_t j = j0;
      for (; j + 4 * LANES <= j1; j += 4 * LANES) wide(at, w, n, b + j, ldb, row + j);
      for (; j + LANES <= j1; j += LANES) single(at, w, n, b + j, ldb, row + j);
      for (; j + 4 <= j1; j += 4) four(at, w, n, b + j, ldb, row + j);
      for (; j < j1; j++) one(at, w, n, b + j, ldb, row + j);
    }
  }
}
void mls_run(uint8_t *base, const int32_t *args, launch_fn launch, int threads) {
  launch(phase, base, args, args[9], args[10], 0, threads);
}
`;

/** starts, inputs, values (16 for each), x, y, blocks, rows, outputs, ldx, ldy, items, grain. Items: rows outside. */
export const blockSource = (vectorBytes: number): string => `${HEAD(vectorBytes)}
#define PARTS (${BLOCK} / LANES)
/* ${BLOCK} outputs of R rows of x; PARTS vectors of sums each. */
#define ROWS(R) \\
static inline void rows##R(const int32_t *at, const float *w, int32_t n, const float *x, int64_t ldx, float *out) { \\
  v s[R][PARTS]; \\
  _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) \\
    _Pragma("GCC unroll 4") for (int q = 0; q < PARTS; q++) s[r][q] = (v){0}; \\
  for (int32_t k = 0; k < n; k++) { \\
    const float *z = x + at[k]; \\
    _Pragma("GCC unroll 4") for (int q = 0; q < PARTS; q++) { \\
      const v u = ((const v *)(w + k * ${BLOCK}))[q]; \\
      _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) s[r][q] += z[r * ldx] * u; \\
    } \\
  } \\
  _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) \\
    _Pragma("GCC unroll 4") for (int q = 0; q < PARTS; q++) ((v *)(out + r * ${BLOCK}))[q] = s[r][q]; \\
}
#define MOST (LANES == 16 ? 12 : LANES == 8 ? 6 : 2)
ROWS(12) ROWS(6) ROWS(2) ROWS(1)

static void phase(uint8_t *base, const int32_t *args, int64_t from, int64_t to, uint8_t *scratch) {
  const int32_t *starts = I(0), *inputs = I(1);
  const float *values = F(2), *x = F(3);
  float *y = F(4);
  const int64_t blocks = args[5], rows = args[6], outputs = args[7], ldx = args[8], ldy = args[9];
  for (int64_t item = from; item < to; item++) {
    const int64_t i0 = item / blocks * ${BLOCK_ROWS}, block = item % blocks, j = block * ${BLOCK};
    const int64_t i1 = i0 + ${BLOCK_ROWS} < rows ? i0 + ${BLOCK_ROWS} : rows;
    const int64_t width = j + ${BLOCK} < outputs ? ${BLOCK} : outputs - j;
    const int32_t *at = inputs + starts[block];
    const float *w = values + (int64_t)starts[block] * ${BLOCK};
    const int32_t n = starts[block + 1] - starts[block];
    float out[12 * ${BLOCK}] __attribute__((aligned(64)));
    for (int64_t i = i0; i < i1;) {
      const float *z = x + i * ldx;
      int64_t count = i1 - i;
      if (MOST == 12 && count >= 12) { count = 12; rows12(at, w, n, z, ldx, out); }
      else if (MOST >= 6 && count >= 6) { count = 6; rows6(at, w, n, z, ldx, out); }
      else if (count >= 2) { count = 2; rows2(at, w, n, z, ldx, out); }
      else rows1(at, w, n, z, ldx, out);
      for (int64_t r = 0; r < count; r++)
        for (int64_t q = 0; q < width; q++) y[(i + r) * ldy + j + q] = out[r * ${BLOCK} + q];
      i += count;
    }
  }
}
void mls_run(uint8_t *base, const int32_t *args, launch_fn launch, int threads) {
  launch(phase, base, args, args[10], args[11], 0, threads);
}
`;
