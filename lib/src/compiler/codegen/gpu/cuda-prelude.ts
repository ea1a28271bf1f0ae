/** CUDA definitions that emitted kernels use: arithmetic on vectors, conversions, functions that keep NaN. */
import { helperName } from "./target.js";

/** Names that the language and its headers keep for themselves, of those that a kernel might use. */
export const CUDA_RESERVED: ReadonlySet<string> = new Set(
  `abs acos alignas and asm atan auto blockDim blockIdx bool break case catch ceil char class const constexpr continue cos
  default delete do double else enum exp explicit extern false float floor fma fmaf for friend goto gridDim if inline int
  log long max min mod mutable namespace new not operator or pow private protected public register return round rsqrt
  short signed sin sizeof sqrt static struct switch tan tanh template this thread_ threadIdx throw true try typedef typename
  union unsigned using virtual void volatile warpSize while xor y0 y1 j0 j1 yn jn`.split(/\s+/),
);

const each = (make: (component: string) => string): string => ["x", "y", "z", "w"].map(make).join(", ");

/** What vectors of four are computed with. int4 holds truth values too: 1 and 0. */
function vectors(): string {
  const binary = (type: string, sign: string, wrap = false): string => {
    const one = (c: string): string =>
      wrap ? `(int)((unsigned)a.${c} ${sign} (unsigned)b.${c})` : `a.${c} ${sign} b.${c}`;
    return `__device__ __forceinline__ ${type} operator${sign}(${type} a, ${type} b) { return make_${type}(${each(one)}); }\n`;
  };
  const compare = (type: string, sign: string): string =>
    `__device__ __forceinline__ int4 operator${sign}(${type} a, ${type} b) { return make_int4(${each((c) => `a.${c} ${sign} b.${c}`)}); }\n`;
  let out = ["+", "-", "*", "/"].map((sign) => binary("float4", sign)).join("");
  out += ["+", "-", "*"].map((sign) => binary("int4", sign, true)).join("");
  out += ["&", "|"].map((sign) => binary("int4", sign)).join("");
  for (const type of ["float4", "int4"])
    out += ["<", ">", "<=", "==", "!="].map((sign) => compare(type, sign)).join("");
  out += `__device__ __forceinline__ float4 operator-(float4 a) { return make_float4(${each((c) => `-a.${c}`)}); }\n`;
  out += `__device__ __forceinline__ int4 operator-(int4 a) { return make_int4(${each((c) => `(int)(0u - (unsigned)a.${c})`)}); }\n`;
  return out;
}

const DEPENDS: Record<string, readonly string[]> = {
  sigmoid: [],
};

/** The text of definitions (keys as `helperName` takes them) and of those that they need, each once. */
export function cudaHelpers(keys: ReadonlySet<string>): string {
  const done = new Set<string>();
  let out = "";
  const add = (key: string): void => {
    if (done.has(key)) return;
    done.add(key);
    const [name, dtype, lanes] = key.split(" ");
    if (lanes !== "1" && name !== "vectors") {
      add("vectors float32 4");
      // Lane by lane, by the function of one.
      if (LANEWISE.has(name)) add(`${name} ${dtype} 1`);
    }
    for (const d of DEPENDS[name] ?? []) add(`${d} ${dtype} ${lanes}`);
    out += lanes === "1" || name === "vectors" ? scalar(key, name, dtype) : vector(key, name, dtype);
  };
  for (const key of [...keys].sort()) add(key);
  return out;
}

const LANEWISE = new Set([
  "maximum",
  "minimum",
  "relu",
  "abs",
  "sqrt",
  "floor",
  "exp",
  "log",
  "tanh",
  "sigmoid",
  "from_bf16",
  "from_f16",
  "to_f16",
  "to_bf16",
  "truncate",
  "narrow",
  "byte",
  "to_float",
]);

function scalar(key: string, name: string, dtype: string): string {
  const f = helperName(key);
  const t = dtype === "float32" ? "float" : dtype === "float64" ? "double" : "int";
  const s = dtype === "float32" ? "f" : "";
  const define = (body: string, args = `${t} x`, result = t): string =>
    `__device__ __forceinline__ ${result} ${f}(${args}) { ${body} }\n`;
  switch (name) {
    case "vectors":
      return vectors();
    case "maximum":
      return define("return a > b || a != a ? a : b;", `${t} a, ${t} b`);
    case "minimum":
      return define("return a < b || a != a ? a : b;", `${t} a, ${t} b`);
    case "relu":
      return define("return x < 0 ? 0 : x;");
    case "abs":
      return define(dtype === "int32" ? "return abs(x);" : `return fabs${s}(x);`);
    case "sqrt":
    case "floor":
    case "exp":
    case "log":
    case "tanh":
      return define(`return ${name}${s}(x);`);
    case "sigmoid":
      return define(`return 1 / (1 + exp${s}(-x));`);
    case "truncate":
      return define(
        "return x != x ? 0 : x >= 2147483648.0 ? 2147483647 : x <= -2147483648.0 ? (-2147483647 - 1) : (int)x;",
        `${t} x`,
        "int",
      );
    case "narrow":
      return define("return (int)(signed char)(x & 255);");
    case "byte":
      return define("return x & 255;");
    case "to_float":
      return define("return (float)x;", "int x", "float");
    case "from_bf16":
      return define("return __uint_as_float(x << 16);", "unsigned x", "float");
    case "to_bf16":
      return define(
        "const unsigned w = __float_as_uint(x); return x != x ? 0x7fc0u : (w + 0x7fffu + ((w >> 16) & 1u)) >> 16;",
        "float x",
        "unsigned",
      );
    case "from_f16": // by its bits, to be the same everywhere
      return define(
        "const unsigned s = (x & 0x7fffu) << 13, e = s & 0x0f800000u; const float size = e == 0x0f800000u ? __uint_as_float(s + 0x70000000u) : e == 0u ? __uint_as_float(s + 0x38800000u) - 6.103515625e-5f : __uint_as_float(s + 0x38000000u); return __uint_as_float(__float_as_uint(size) | (x & 0x8000u) << 16);",
        "unsigned x",
        "float",
      );
    case "to_f16": // to nearest, ties to even
      return define(
        "const unsigned bits = __float_as_uint(x), u = bits & 0x7fffffffu; if (u > 0x7f800000u) return 0x7e00u; const unsigned size = u >= 0x47800000u ? 0x7c00u : u < 0x38800000u ? __float_as_uint(__uint_as_float(u) + 0.5f) - 0x3f000000u : (u + ((u >> 13) & 1u) - 0x37fff001u) >> 13; return size | ((bits >> 16) & 0x8000u);",
        "float x",
        "unsigned",
      );
    case "floordiv":
      return define("return a >= 0 ? a / b : -((b - 1 - a) / b);", "int a, int b");
    case "mod":
      return define("const int r = a % b; return r < 0 ? r + b : r;", "int a, int b");
    default:
      return "";
  }
}

const VECTOR: Record<string, string> = { float32: "float4", bfloat16: "uint4", float16: "uint4" };
const STORED: Record<string, [scalar: string, vector: string]> = {
  int8: ["signed char", "char4"],
  uint8: ["unsigned char", "uchar4"],
  bool: ["unsigned char", "uchar4"],
  bfloat16: ["unsigned short", "ushort4"],
  float16: ["unsigned short", "ushort4"],
};

function vector(key: string, name: string, dtype: string): string {
  const f = helperName(key);
  const v = VECTOR[dtype] ?? "int4";
  const one = helperName(key.replace(/4$/, "1"));
  const define = (body: string, args = `${v} x`, result = v): string =>
    `__device__ __forceinline__ ${result} ${f}(${args}) { ${body} }\n`;
  const lanes = (result: string, two = false): string =>
    `return make_${result}(${each((c) => (two ? `${one}(a.${c}, b.${c})` : `${one}(x.${c})`))});`;
  switch (name) {
    case "splat":
      return define(
        `return make_${v}(x, x, x, x);`,
        `${v === "float4" ? "float" : v === "uint4" ? "unsigned" : "int"} x`,
      );
    case "select":
      return define(
        `return make_${v}(${each((c) => `m.${c} ? a.${c} : b.${c}`)});`,
        `int4 m, ${v} a, ${v} b`,
      );
    case "fma":
      return define(
        `return make_float4(${each((c) => `fmaf(a.${c}, b.${c}, c.${c})`)});`,
        "float4 a, float4 b, float4 c",
      );
    case "maximum":
    case "minimum":
      return define(lanes(v, true), `${v} a, ${v} b`);
    case "truncate":
      return define(lanes("int4"), "float4 x", "int4");
    case "to_float":
      return define(lanes("float4"), "int4 x", "float4");
    case "from_bf16":
      return define(lanes("float4"), "uint4 x", "float4");
    case "from_f16":
      return define(lanes("float4"), "uint4 x", "float4");
    case "to_bf16":
    case "to_f16":
      return define(lanes("uint4"), "float4 x", "uint4");
    case "load": {
      const [type, packed] = STORED[dtype];
      return define(
        `const ${packed} w = *(const ${packed} *)p; return make_${v}(${each((c) => (dtype === "bool" ? `w.${c} != 0` : `w.${c}`))});`,
        `const ${type} *p`,
      );
    }
    case "store": {
      const [type, packed] = STORED[dtype];
      return define(
        `*(${packed} *)p = make_${packed}(${each((c) => `(${type})x.${c}`)});`,
        `${type} *p, ${v} x`,
        "void",
      );
    }
    default:
      return define(lanes(v));
  }
}
