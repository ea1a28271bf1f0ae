/** WGSL definitions that emitted kernels use: elementary functions to the accuracy of the other targets, packing, words. */
import { helperName } from "./target.js";

/** Names that the language keeps for itself, of those that a kernel might use. */
export const RESERVED: ReadonlySet<string> = new Set(
  `abs acos all alias any array as atomic bitcast block_ bool break case ceil clamp class const const_assert continue cos
  continuing cross default diagnostic discard distance do dot else enable enum exp export f16 f32 false fallthrough final
  floor fma fn for from get global goto groups handle i32 if impl import in index_ inf instance interface length let log
  loop macro mat max meta min mod module move mut new nil null of off out override own package pass ptr private public
  readonly ref requires resource return round sampler select self set shared sign signed sin sizes_ sqrt static step struct
  super switch target tan tanh template texture this thread_ throw trait true try type typedef u32 union unless unsigned use
  using var vec2 vec3 vec4 virtual void volatile where while with workgroup write yield`.split(/\s+/),
);

const DEPENDS: Record<string, readonly string[]> = {
  maximum: ["isnan"],
  minimum: ["isnan"],
  exp: ["isnan"],
  tanh: ["exp"],
  sigmoid: ["exp"],
  log: ["isnan", "nan", "inf"],
  to_bf16: ["isnan"],
  truncate: ["isnan"],
  nan: ["exponent"],
  inf: ["exponent"],
};

/** The text of definitions (keys as `helperName` takes them) and of those that they need, each once. */
export function wgslHelpers(keys: ReadonlySet<string>): string {
  const done = new Set<string>();
  let out = "";
  const add = (key: string): void => {
    if (done.has(key)) return;
    done.add(key);
    const [name, dtype, lanes] = key.split(" ");
    for (const d of DEPENDS[name] ?? []) {
      const single = d === "nan" || d === "inf" || d === "exponent";
      add(single ? `${d} float32 1` : `${d} ${dtype} ${lanes}`);
    }
    out += definition(key, name, lanes === "1" ? (t) => t : (t) => `vec${lanes}<${t}>`);
  };
  for (const key of [...keys].sort()) add(key);
  return out;
}

function definition(key: string, name: string, of: (scalar: string) => string): string {
  const f = helperName(key);
  const [F, I, U, B] = [of("f32"), of("i32"), of("u32"), of("bool")];
  const call = (helper: string): string => f.replace(`mls_${name}_`, `mls_${helper}_`);
  const unary = (body: string, result = F): string => `fn ${f}(x: ${F}) -> ${result} {${body}}\n`;
  switch (name) {
    case "exponent": // a variable, since a constant infinity is an error of the language
      return "var<private> mls_exponent: u32 = 0x7f800000u;\n";
    case "inf":
      return `fn ${f}() -> f32 { return bitcast<f32>(mls_exponent); }\n`;
    case "nan":
      return `fn ${f}() -> f32 { return bitcast<f32>(mls_exponent | 0x400000u); }\n`;
    case "isnan": // by its bits: compilers may take it that there is none
      return unary(` return (bitcast<${U}>(x) & ${U}(0x7fffffffu)) > ${U}(0x7f800000u); `, B);
    case "maximum":
      return `fn ${f}(a: ${F}, b: ${F}) -> ${F} { return select(select(b, a, a > b), a, ${call("isnan")}(a)); }\n`;
    case "minimum":
      return `fn ${f}(a: ${F}, b: ${F}) -> ${F} { return select(select(b, a, a < b), a, ${call("isnan")}(a)); }\n`;
    case "relu":
      return unary(` return select(x, ${F}(0f), x < ${F}(0f)); `);
    case "exp": // Cephes
      return unary(`
  let t = clamp(x, ${F}(-104f), ${F}(89f));
  let n = round(t * 1.44269504f);
  let r = t - n * 0.693359375f + n * 2.12194440e-4f;
  let p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r + 5.0000001201e-1f;
  let y = (p * (r * r) + r) + 1f;
  let k = ${I}(n);
  let half = k >> ${U}(1u);
  let scaled = (y * bitcast<${F}>((half + 127) << ${U}(23u))) * bitcast<${F}>((k - half + 127) << ${U}(23u));
  return select(scaled, x, ${call("isnan")}(x));
`);
    case "log":
      return unary(`
  let tiny = x < ${F}(1.17549435e-38f);
  let normal = select(x, x * 8388608f, tiny);
  let raw = (bitcast<${I}>(normal) >> ${U}(23u)) & ${I}(0xff);
  let m = bitcast<${F}>((bitcast<${I}>(normal) & ${I}(0x007fffff)) | ${I}(0x3f000000));
  let low = m < ${F}(0.707106781f);
  let e = ${F}(raw - 126 - select(${I}(0), ${I}(23), tiny)) - select(${F}(0f), ${F}(1f), low);
  let r = select(m, m + m, low) - 1f;
  let z = r * r;
  let p = (((((((7.0376836292e-2f * r - 1.151461031e-1f) * r + 1.167699874e-1f) * r - 1.2420140846e-1f) * r + 1.4249322787e-1f) * r - 1.6668057665e-1f) * r + 2.0000714765e-1f) * r - 2.4999993993e-1f) * r + 3.3333331174e-1f;
  let y = r * z * p + e * -2.12194440e-4f - 0.5f * z + r + e * 0.693359375f;
  let bits = bitcast<${U}>(x);
  let negative = (bits > ${U}(0x80000000u));
  let special = ((bits & ${U}(0x7f800000u)) == ${U}(0x7f800000u));
  let zero = ((bits & ${U}(0x7fffffffu)) == ${U}(0u));
  let finite = select(select(y, x, special), ${F}(mls_nan_f32()), negative);
  return select(finite, ${F}(-mls_inf_f32()), zero);
`);
    case "tanh":
      return unary(`
  let t = abs(x);
  let z = x * x;
  let p = (((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z - 3.33332819422e-1f;
  let near = z * p * x + x;
  let far = 1f - 2f / (${call("exp")}(t + t) + 1f);
  let signed_far = bitcast<${F}>(bitcast<${U}>(far) | (bitcast<${U}>(x) & ${U}(0x80000000u)));
  return select(signed_far, near, t < ${F}(0.625f));
`);
    case "sigmoid":
      return unary(`
  let e = ${call("exp")}(-abs(x));
  let s = 1f / (1f + e);
  return select(s, e * s, x < ${F}(0f));
`);
    case "truncate":
      return unary(
        ` return select(${I}(clamp(x, ${F}(-2147483648f), ${F}(2147483520f))) + select(${I}(0), ${I}(127), x > ${F}(2147483520f)), ${I}(0), ${call("isnan")}(x)); `,
        I,
      );
    case "to_bf16":
      return unary(
        `
  let w = bitcast<${U}>(x);
  let rounded = (w + ${U}(0x7fffu) + ((w >> ${U}(16u)) & ${U}(1u))) >> ${U}(16u);
  return select(rounded, ${U}(0x7fc0u), ${call("isnan")}(x));
`,
        U,
      );
    case "from_f16": // by its bits, to be the same everywhere
      return `fn ${f}(x: ${U}) -> ${F} {
  let shifted = (x & ${U}(0x7fffu)) << ${U}(13u);
  let exponent = shifted & ${U}(0x0f800000u);
  let normal = bitcast<${F}>(shifted + ${U}(0x38000000u));
  let special = bitcast<${F}>(shifted + ${U}(0x70000000u));
  let small = bitcast<${F}>(shifted + ${U}(0x38800000u)) - ${F}(6.103515625e-5f);
  let size = select(select(normal, small, exponent == ${U}(0u)), special, exponent == ${U}(0x0f800000u));
  return bitcast<${F}>(bitcast<${U}>(size) | ((x & ${U}(0x8000u)) << ${U}(16u)));
}
`;
    case "to_f16": // to nearest, ties to even
      return unary(
        `
  let bits = bitcast<${U}>(x);
  let u = bits & ${U}(0x7fffffffu);
  let small = bitcast<${U}>(bitcast<${F}>(u) + ${F}(0.5f)) - ${U}(0x3f000000u);
  let normal = (u + ((u >> ${U}(13u)) & ${U}(1u)) - ${U}(0x37fff001u)) >> ${U}(13u);
  let beyond = select(${U}(0x7c00u), ${U}(0x7e00u), u > ${U}(0x7f800000u));
  let size = select(select(normal, small, u < ${U}(0x38800000u)), beyond, u >= ${U}(0x47800000u));
  let sign = select((bits >> ${U}(16u)) & ${U}(0x8000u), ${U}(0u), u > ${U}(0x7f800000u));
  return size | sign;
`,
        U,
      );
    case "floordiv":
      return `fn ${f}(a: i32, b: i32) -> i32 { return select(-((b - 1 - a) / b), a / b, a >= 0); }\n`;
    case "mod":
      return `fn ${f}(a: i32, b: i32) -> i32 { let r = a % b; return select(r, r + b, r < 0); }\n`;
    case "unpack": {
      const type = key.split(" ")[1];
      const each = (shift: number): string =>
        type === "int8" ? `extractBits(bitcast<i32>(w), ${shift}u, 8u)` : `extractBits(w, ${shift}u, 8u)`;
      const all = [0, 8, 16, 24].map(each).join(", ");
      if (type === "bool")
        return `fn ${f}(w: u32) -> vec4<bool> { return vec4<u32>(${all}) != vec4<u32>(0u); }\n`;
      if (type === "uint8") return `fn ${f}(w: u32) -> vec4<i32> { return vec4<i32>(vec4<u32>(${all})); }\n`;
      return `fn ${f}(w: u32) -> vec4<i32> { return vec4<i32>(${all}); }\n`;
    }
    case "pack": {
      const from = key.split(" ")[1] === "bool" ? "bool" : "i32";
      return `fn ${f}(v: vec4<${from}>) -> u32 { let w = vec4<u32>(v) & vec4<u32>(255u); return w.x | (w.y << 8u) | (w.z << 16u) | (w.w << 24u); }\n`;
    }
    default:
      return "";
  }
}
