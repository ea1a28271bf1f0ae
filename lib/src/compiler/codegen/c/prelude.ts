/** C definitions that emitted kernels use: vector types, loads and stores of parts, and elementary functions on vectors. */
import type { LoopType } from "../../loop/ir.js";
import { dotText } from "./dot.js";

export const SCALAR_TYPES: Record<LoopType, string> = {
  float32: "float",
  float64: "double",
  int32: "int32_t",
  int8: "int8_t",
  uint8: "uint8_t",
  bfloat16: "uint16_t",
  float16: "uint16_t",
  bool: "uint8_t",
};

const SHORT: Record<LoopType, string> = {
  float32: "f32",
  float64: "f64",
  int32: "i32",
  int8: "i8",
  uint8: "u8",
  bfloat16: "bf16",
  float16: "f16",
  bool: "bool",
};
const BYTES: Record<LoopType, number> = {
  float32: 4,
  float64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
  bfloat16: 2,
  float16: 2,
  bool: 4,
};

export const shortName = (dtype: LoopType): string => SHORT[dtype];

/** `f32x16`; masks (bool) are int32 lanes of all ones or zeros. */
export const vectorType = (dtype: LoopType, lanes: number): string => `${SHORT[dtype]}x${lanes}`;

/** Key of a definition, for `definitionsOf`. */
export const helper = (name: string, dtype: LoopType, lanes: number): string => `${name} ${dtype} ${lanes}`;

export const PRELUDE = `#include <stdint.h>
#include <string.h>
#include <math.h>

static inline int32_t mls_word(const void *p) { int32_t w; memcpy(&w, p, 4); return w; }
static inline int64_t mls_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t mls_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t mls_floordiv(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }
static inline int64_t mls_mod(int64_t a, int64_t b) { return a - b * mls_floordiv(a, b); }
`;

const DEPENDS: Record<string, readonly string[]> = {
  exp: ["max", "min", "select"],
  log: ["select"],
  tanh: ["exp", "abs", "select"],
  sigmoid: ["exp", "abs", "select"],
  max: ["select"],
  relu: ["select"],
  min: ["select"],
  blend: ["select"],
};

/** The C text of definitions and of those they need, each once. */
export function definitionsOf(keys: Iterable<string>): string {
  const done = new Set<string>();
  let out = "";
  const add = (key: string): void => {
    if (done.has(key)) return;
    done.add(key);
    const [name, dtype, count] = key.split(" ");
    const lanes = Number(count);
    const type = dtype as LoopType;
    if (lanes > 1) {
      if (name === "type") {
        if (type === "float32" || type === "float64") add(helper("type", "bool", lanes));
      } else {
        add(helper("type", type, lanes));
        for (const d of DEPENDS[name] ?? []) add(helper(d, type, lanes));
        if (name === "from_bf16" || name === "to_bf16") {
          add(helper("type", "bfloat16", lanes));
          add(helper("type", "int32", lanes));
        }
        if (name === "truncate") add(helper("type", "int32", lanes));
      }
    }
    out += lanes === 1 ? scalarDefinition(name, type) : vectorDefinition(name, type, lanes);
  };
  for (const key of [...keys].sort()) add(key);
  return out;
}

function scalarDefinition(name: string, dtype: LoopType): string {
  const t = SCALAR_TYPES[dtype];
  const s = SHORT[dtype];
  const f = dtype === "float32" ? "f" : "";
  const define = (body: string, args = `${t} x`, result = t): string =>
    `static inline ${result} mls_${name}_${s}(${args}) { ${body} }\n`;
  const two = `${t} a, ${t} b`;
  switch (name) {
    case "max":
      return define("return a > b || a != a ? a : b;", two);
    case "min":
      return define("return a < b || a != a ? a : b;", two);
    case "relu":
      return define("return x > 0 || x != x ? x : 0;");
    case "abs":
      return define(
        dtype === "int32"
          ? "return x < 0 ? (int32_t)(0u - (uint32_t)x) : x;"
          : `return __builtin_fabs${f}(x);`,
      );
    case "sqrt":
    case "floor":
      return define(`return __builtin_${name}${f}(x);`);
    case "exp":
    case "log":
    case "tanh":
      return define(`return ${name}${f}(x);`);
    case "sigmoid":
      return define(`return 1 / (1 + exp${f}(-x));`);
    case "truncate":
      return define(
        "return x != x ? 0 : x >= 2147483648.0 ? INT32_MAX : x <= -2147483648.0 ? INT32_MIN : (int32_t)x;",
        `${t} x`,
        "int32_t",
      );
    case "from_bf16":
      return define(
        "uint32_t w = (uint32_t)bits << 16; float x; memcpy(&x, &w, 4); return x;",
        "uint16_t bits",
      );
    case "to_bf16":
      return define(
        "uint32_t w; memcpy(&w, &x, 4); return x != x ? 0x7fc0 : (uint16_t)((w + 0x7fff + ((w >> 16) & 1)) >> 16);",
        "float x",
        "uint16_t",
      );
    default:
      return "";
  }
}

function vectorDefinition(name: string, dtype: LoopType, lanes: number): string {
  const e = dtype === "bool" ? "int32_t" : SCALAR_TYPES[dtype];
  const stored = SCALAR_TYPES[dtype];
  const v = vectorType(dtype, lanes);
  const mask = vectorType("bool", lanes);
  const bytes = BYTES[dtype] * lanes;
  const each = (body: string): string => `for (int i = 0; i < ${lanes}; i++) ${body}`;
  const define = (body: string, args: string, result = v): string =>
    `static inline ${result} mls_${name}_${v}(${args}) { ${body} }\n`;
  const apart = (body: string, args: string, result = v): string =>
    `static __attribute__((noinline)) ${result} mls_${name}_${v}(${args}) { ${body} }\n`; // for edges: a copy at each place would only cost compile time
  const out = dtype === "bool" ? "-(p[i * step] != 0)" : "p[i * step]";
  const back = dtype === "bool" ? "v[i] & 1" : "v[i]";
  switch (name) {
    case "type":
      return `typedef ${e} ${v} __attribute__((vector_size(${bytes})));\n`;
    case "splat":
      return define(dtype === "bool" ? `return (${v}){0} - x;` : `return x - (${v}){0};`, `${e} x`);
    case "load":
      if (dtype === "bool")
        return define(`${v} v; ${each("v[i] = -(p[i] != 0);")} return v;`, `const ${stored} *p`);
      return define(`${v} v; memcpy(&v, p, ${bytes}); return v;`, `const ${stored} *p`);
    case "store":
      if (dtype === "bool") return define(each("p[i] = v[i] & 1;"), `${stored} *p, ${v} v`, "void");
      return define(`memcpy(p, &v, ${bytes});`, `${stored} *p, ${v} v`, "void");
    case "load_strided":
      return define(`${v} v; ${each(`v[i] = ${out};`)} return v;`, `const ${stored} *p, int64_t step`);
    case "store_strided":
      return define(each(`p[i * step] = ${back};`), `${stored} *p, int64_t step, ${v} v`, "void");
    case "load_part":
      return apart(
        `${v} v = {0}; ${each(`if (i < count) v[i] = ${out};`)} return v;`,
        `const ${stored} *p, int64_t step, int64_t count`,
      );
    case "store_part":
      return apart(
        each(`if (i < count) p[i * step] = ${back};`),
        `${stored} *p, int64_t step, int64_t count, ${v} v`,
        "void",
      );
    case "with_lane":
      return define("v[lane] = x; return v;", `${v} v, int lane, ${e} x`);
    case "select":
      return define(selectText(dtype, lanes), `${mask} m, ${v} a, ${v} b`);
    case "blend":
      return define(
        `${mask} m; ${each("m[i] = -(i < count);")} return mls_select_${v}(m, a, b);`,
        `int64_t count, ${v} a, ${v} b`,
      );
    case "max":
      return define(
        `return mls_select_${v}(${compared(dtype, mask, "(a > b) | (a != a)")}, a, b);`,
        `${v} a, ${v} b`,
      );
    case "min":
      return define(
        `return mls_select_${v}(${compared(dtype, mask, "(a < b) | (a != a)")}, a, b);`,
        `${v} a, ${v} b`,
      );
    case "relu":
      return define(
        `return mls_select_${v}(${compared(dtype, mask, "(x > 0) | (x != x)")}, x, (${v}){0});`,
        `${v} x`,
      );
    case "abs":
      if (dtype === "int32") return define(`${v} s = x >> 31; return (x ^ s) - s;`, `${v} x`);
      return define(
        `${v} y; ${each(`y[i] = __builtin_fabs${dtype === "float32" ? "f" : ""}(x[i]);`)} return y;`,
        `${v} x`,
      );
    case "sqrt":
    case "floor":
      return define(
        `${v} y; ${each(`y[i] = __builtin_${name}${dtype === "float32" ? "f" : ""}(x[i]);`)} return y;`,
        `${v} x`,
      );
    case "truncate": {
      const w = vectorType("int32", lanes);
      const one =
        "x[i] != x[i] ? 0 : x[i] >= 2147483648.0 ? INT32_MAX : x[i] <= -2147483648.0 ? INT32_MIN : (int32_t)x[i]";
      return define(`${w} y; ${each(`y[i] = ${one};`)} return y;`, `${v} x`, w);
    }
    case "from_bf16": {
      const [h, w] = [vectorType("bfloat16", lanes), vectorType("int32", lanes)];
      return define(`${w} t = __builtin_convertvector(bits, ${w}) << 16; return (${v})t;`, `${h} bits`);
    }
    case "to_bf16": {
      const [h, w] = [vectorType("bfloat16", lanes), vectorType("int32", lanes)];
      const body = `${w} t = (${w})x; ${w} nan = x != x; t = (t + 0x7fff + ((t >> 16) & 1)) >> 16; t = (t & ~nan) | (nan & 0x7fc0); return __builtin_convertvector(t & 0xffff, ${h});`;
      return define(body, `${v} x`, h);
    }
    case "dot_us":
    case "dot_su":
    case "dot_ss":
    case "dot_uu":
      return define(dotText(name.slice(4), lanes), `${v} c, ${v} a, ${v} b`);
    default:
      return elementary(name, dtype, v, mask, each, define);
  }
}

/** A comparison as a mask of 32-bit lanes. */
const compared = (dtype: LoopType, mask: string, text: string): string =>
  dtype === "float64" ? `__builtin_convertvector(${text}, ${mask})` : text;

function selectText(dtype: LoopType, lanes: number): string {
  const v = vectorType(dtype, lanes);
  const bytes = dtype === "bool" ? 4 : BYTES[dtype];
  const bits = `int${bytes * 8}_t`;
  const type = `typedef ${bits} w __attribute__((vector_size(${bytes * lanes})));`;
  const mask = bytes === 4 ? "m" : "__builtin_convertvector(m, w)";
  return `${type} w k = ${mask}; return (${v})((k & (w)a) | (~k & (w)b));`;
}

/** float32: Cephes' reductions and polynomials, as the WebAssembly target's; float64: the C library, lane by lane. */
function elementary(
  name: string,
  dtype: LoopType,
  v: string,
  mask: string,
  each: (body: string) => string,
  define: (body: string, args: string) => string,
): string {
  const x = `${v} x`;
  if (dtype === "float64") {
    const one = name === "sigmoid" ? "1 / (1 + exp(-x[i]))" : `${name}(x[i])`;
    return define(`${v} y; ${each(`y[i] = ${one};`)} return y;`, x);
  }
  switch (name) {
    case "exp":
      return define(
        `
  ${v} t = mls_min_${v}(mls_max_${v}(x, ((${v}){0} - 104.0f)), ((${v}){0} + 89.0f));
  ${v} n = (t * 1.44269504f + 12582912.0f) - 12582912.0f;
  ${v} r = t - n * 0.693359375f + n * 2.12194440e-4f;
  ${v} p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r + 5.0000001201e-1f;
  ${v} y = (p * (r * r) + r) + 1.0f;
  ${mask} k = __builtin_convertvector(n, ${mask});
  ${mask} half = k >> 1;
  y = (y * (${v})((half + 127) << 23)) * (${v})((k - half + 127) << 23);
  return mls_select_${v}(x != x, x, y);
`,
        x,
      );
    case "log":
      return define(
        `
  ${mask} tiny = x < 1.17549435e-38f;
  ${v} normal = mls_select_${v}(tiny, x * 8388608.0f, x);
  ${mask} raw = ((${mask})normal >> 23) & 0xff;
  ${v} e = __builtin_convertvector(raw - 126 - (tiny & 23), ${v});
  ${v} m = (${v})(((${mask})normal & 0x007fffff) | 0x3f000000);
  ${mask} low = m < 0.707106781f;
  e = mls_select_${v}(low, e - 1.0f, e);
  ${v} r = mls_select_${v}(low, m + m, m) - 1.0f;
  ${v} z = r * r;
  ${v} p = ((((((((7.0376836292e-2f * r - 1.151461031e-1f) * r + 1.167699874e-1f) * r - 1.2420140846e-1f) * r + 1.4249322787e-1f) * r - 1.6668057665e-1f) * r + 2.0000714765e-1f) * r - 2.4999993993e-1f) * r + 3.3333331174e-1f);
  ${v} y = r * z * p + e * -2.12194440e-4f - 0.5f * z + r + e * 0.693359375f;
  y = mls_select_${v}(x < INFINITY, y, x);
  y = mls_select_${v}(x < 0, ((${v}){0} + NAN), y);
  return mls_select_${v}(x == 0, ((${v}){0} - INFINITY), y);
`,
        x,
      );
    case "tanh":
      return define(
        `
  ${v} t = mls_abs_${v}(x);
  ${v} z = x * x;
  ${v} p = (((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z - 3.33332819422e-1f;
  ${v} near = z * p * x + x;
  ${v} far = 1.0f - 2.0f / (mls_exp_${v}(t + t) + 1.0f);
  far = (${v})((${mask})far | ((${mask})x & INT32_MIN));
  return mls_select_${v}(t < 0.625f, near, far);
`,
        x,
      );
    case "sigmoid":
      return define(
        `
  ${v} e = mls_exp_${v}(-mls_abs_${v}(x));
  ${v} s = 1.0f / (1.0f + e);
  return mls_select_${v}(x < 0, e * s, s);
`,
        x,
      );
    default:
      return "";
  }
}
