/** Random numbers: Philox4x32-10, the same words as on the host (core/random.ts), four to a thread. */
import { sizeOf } from "../../core/shape.js";
import { type CudaOp, computed, fits } from "./types.js";
import { KernelWriter } from "./writer.js";

const PHILOX = `__device__ __forceinline__ uint4 philox(unsigned k0, unsigned k1, unsigned counter) {
  uint4 c = make_uint4(counter, 0u, 0u, 0u);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const unsigned long long p0 = 0xd2511f53ull * c.x, p1 = 0xcd9e8d57ull * c.z;
    c = make_uint4((unsigned)(p1 >> 32) ^ c.y ^ k0, (unsigned)p1, (unsigned)(p0 >> 32) ^ c.w ^ k1, (unsigned)p0);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return c;
}
__device__ __forceinline__ float unit(unsigned w) { return (float)(w >> 8) / 16777216.f; }
`;

/** Statements that make four values `v[0]` … `v[3]` of the words `w`, by the type of the arithmetic. */
const VALUES: Readonly<Record<string, (type: string) => string>> = {
  randomUniform: () => "v[0] = unit(w.x); v[1] = unit(w.y); v[2] = unit(w.z); v[3] = unit(w.w);",
  randomBits: () => "v[0] = (int)w.x; v[1] = (int)w.y; v[2] = (int)w.z; v[3] = (int)w.w;",
  randomNormal: (type) => `
    const ${type} r = sqrt(-2 * log(1 - (${type})unit(w.x))), a = (${type})6.283185307179586 * (${type})unit(w.y);
    const ${type} q = sqrt(-2 * log(1 - (${type})unit(w.z))), b = (${type})6.283185307179586 * (${type})unit(w.w);
    v[0] = r * cos(a); v[1] = r * sin(a); v[2] = q * cos(b); v[3] = q * sin(b);`,
};

const randomOp = (op: string): CudaOp<object> => ({
  op,
  supports: (inputs, outputs) => {
    const type = computed(outputs[0].dtype);
    const wanted = op === "randomBits" ? outputs[0].dtype === "int32" : type === "float" || type === "double";
    return wanted && inputs[0].dtype === "int32" && fits([...inputs, ...outputs]);
  },
  run([key], [out]) {
    const w = new KernelWriter(`mlsys_${op}`);
    w.declare(PHILOX);
    const type = computed(out.dtype);
    const load = w.input(key);
    const [low, high] = [0, 1].map((k) => load(w.int(key.offset + k * key.strides[0])));
    const count = sizeOf(out.shape);
    w.run(
      Math.ceil(count / 4),
      `    const uint4 w = philox((unsigned)${low}, (unsigned)${high}, (unsigned)i); ${type} v[4];
    ${VALUES[op](type)}
    for (int j = 0; j < 4; j++) if (4 * i + j < ${w.int(count)}) { ${w.output(out)("4 * i + j", "v[j]")} }`,
    );
  },
});

interface SearchAttrs {
  readonly right: boolean;
}

/** By halves; NaN is larger than every number. */
const searchsorted: CudaOp<SearchAttrs> = {
  op: "searchsorted",
  supports: (inputs, outputs) =>
    fits([...inputs, ...outputs]) &&
    inputs[0].dtype === inputs[1].dtype &&
    computed(inputs[0].dtype) !== "bool",
  run([edges, x], [out], { right }) {
    const w = new KernelWriter("mlsys_searchsorted");
    const type = computed(x.dtype);
    const { text, at } = w.coordinates(x.shape, "i", "c");
    const value = w.input(x)(w.position(x, at));
    const edge = w.input(edges)(w.position({ ...edges, shape: [2] }, ["middle"]));
    const before = right ? "!(v < e || (e != e && v == v))" : "(e < v || (v != v && e == e))";
    w.run(
      sizeOf(out.shape),
      `    ${text}const ${type} v = ${value}; int low = 0, high = ${w.int(edges.shape[0])};
    while (low < high) {
      const int middle = (low + high) >> 1; const ${type} e = ${edge};
      if (${before}) low = middle + 1; else high = middle;
    }
    ${w.output(out)("i", "low")}`,
    );
  },
};

export const randomOps: readonly CudaOp[] = [
  ...Object.keys(VALUES).map(randomOp),
  searchsorted,
] as readonly CudaOp[];
