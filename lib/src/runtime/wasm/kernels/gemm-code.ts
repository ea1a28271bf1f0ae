/**
 * The code of matrix multiplication, for float32 and float64. As in Goto & van de Geijn, "Anatomy of high-performance
 * matrix multiplication" (2008): B is packed into panels of 64 bytes width that stay in the first cache while the rows
 * of A pass by; the inner tile (2 rows by 4 vectors) stays in registers. Packing takes any strides, so that transposed
 * operands cost nothing extra. A tile of 2 × 4 vectors is what V8's register allocation serves best (measured).
 */
import {
  type Expr,
  type Func,
  i32,
  type Local,
  laneOp,
  load,
  load32Lane,
  load64Lane,
  ModuleBuilder,
  op,
  type ValueType,
} from "../assembler.js";

export type GemmType = "float32" | "float64";

/** Bytes of a row of a packed panel: four vectors. */
export const PANEL_BYTES = 64;
/** Steps of k per pass: a panel is then 16 KiB (float32). */
export const K_BLOCK = 256;
/** Most rows and columns of a block: its packed parts must fit the scratch memory. */
export const MAX_ROWS = 512;
export const MAX_COLUMNS: Record<GemmType, number> = { float32: 512, float64: 256 };

const VECTORS = 4;
const SCRATCH_TILE = 0; // 2 × 64 bytes for tiles that stick out
const SCRATCH_B = 256;
const SCRATCH_A = SCRATCH_B + 512 * K_BLOCK * 4;

interface Element {
  readonly bytes: number;
  readonly lanes: number;
  readonly scalar: ValueType;
  splatLoad(address: Expr<"i32">, offset: number): Expr<"v128">;
  /** Element `lane` of a vector from `address`. */
  laneLoad(lane: number, address: Expr<"i32">, vector: Expr<"v128">, offset: number): Expr<"v128">;
  add(a: Expr<"v128">, b: Expr<"v128">): Expr<"v128">;
  /** a · b + c. */
  madd(a: Expr<"v128">, b: Expr<"v128">, c: Expr<"v128">): Expr<"v128">;
  zero(): Expr<"v128">;
}

/**
 * A module with two kernels.
 * `gemm(a, b, c, m, n, k, rsa, csa, rsb, csb, rsc, batchA, batchB, batchC, rows, columns, flags | from, to, scratch)`:
 * items are the blocks of `rows × columns` of every product of the batch; strides are bytes; flags: 1 leaves B unpacked, 2
 * adds to what C holds.
 * `dots(a, b, c, m, n, k, rsa, csb, rsc, csc | from, to, scratch)`: few rows, both operands contiguous along k; items
 * are columns of the result.
 */
export function gemmModule(type: GemmType, relaxed: boolean): ModuleBuilder {
  const module = new ModuleBuilder();
  const e = element(type, relaxed);
  addGemm(module, e);
  buildDots(module, e);
  return module;
}

/** Where an operand of an epilogue lies: side by side along a row of C, or one element for the row. */
export type EpiloguePattern = "unit" | "same";

/**
 * A module with `gemmThen(gemm's arguments, table | from, to, scratch)`: as `gemm`, and then, while a block of C is in the
 * cache, `apply(c, c, operands…, constants… | 0, columns, scratch)` on each of its rows. Table (32-bit words): per operand
 * address, bytes from row to row, bytes from column to column; then constants (64 bits).
 */
export function gemmThenModule(
  type: GemmType,
  relaxed: boolean,
  operands: number,
  constants: number,
  addApply: (module: ModuleBuilder) => Func,
): ModuleBuilder {
  const module = new ModuleBuilder();
  const e = element(type, relaxed);
  const gemm = addGemm(module, e);
  const apply = addApply(module);
  const params = new Array<ValueType>(21).fill("i32");
  module.func("gemmThen", params, null, (f) => {
    const all = params.map((_, i) => f.param<"i32">(i));
    const [, , c, m, n, , , , , , rsc] = all;
    const [rows, columns, , table, from, to, scratch] = all.slice(14);
    const across = f.let(op("i32.div_s", add(n, sub(columns, i32(1))), columns));
    const t = f.let(from);
    const row = f.local("i32");
    f.for(t, to, 1, () => {
      f.call(gemm, ...all.slice(0, 17), t, add(t, 1), scratch);
      const i0 = f.let(mul(op("i32.div_s", t, across), rows));
      const j0 = f.let(mul(op("i32.rem_s", t, across), columns));
      const end = f.let(add(i0, least(f, rows, sub(m, i0))));
      const breadth = least(f, columns, sub(n, j0));
      f.set(row, i0);
      f.for(row, end, 1, () => {
        const at = f.let(add(add(c, mul(row, rsc)), mul(j0, e.bytes)));
        const word = (index: number) => load("i32.load", table, index * 4);
        const places = Array.from({ length: operands }, (_, o) =>
          add(add(word(o * 3), mul(row, word(o * 3 + 1))), mul(j0, word(o * 3 + 2))),
        );
        const numbers = Array.from({ length: constants }, (_, i) =>
          load("f64.load", table, epilogueWords(operands) * 4 + i * 8),
        );
        f.call(apply, at, at, ...places, ...numbers, i32(0), breadth, scratch);
      });
    });
  });
  return module;
}

/** Words of the table before the constants (an even number). */
export function epilogueWords(operands: number): number {
  return operands * 3 + ((operands * 3) & 1);
}

/** Bytes of the scratch memory that `gemm` uses, from its start. */
export const GEMM_SCRATCH_BYTES = SCRATCH_A + MAX_ROWS * K_BLOCK * 8;

/** `gemm` as a function of another module. */
export function addGemmTo(module: ModuleBuilder, type: GemmType, relaxed: boolean): Func {
  return addGemm(module, element(type, relaxed));
}

/** The functions of `gemm`; returns it. */
function addGemm(module: ModuleBuilder, e: Element): Func {
  const packB = buildPackB(module, e);
  const packA = buildPackA(module, e);
  const micro = [1, 2].map((rows) => buildMicro(module, e, rows, true));
  const microDirect = [1, 2].map((rows) => buildMicro(module, e, rows, false));
  const spill = buildSpill(module, e);
  return buildGemm(module, e, { packA, packB, micro, microDirect, spill });
}

function element(type: GemmType, relaxed: boolean): Element {
  if (type === "float32") {
    const add = (a: Expr<"v128">, b: Expr<"v128">) => op("f32x4.add", a, b);
    return {
      bytes: 4,
      lanes: 4,
      scalar: "f32",
      splatLoad: (address, offset) => load("v128.load32_splat", address, offset),
      laneLoad: load32Lane,
      add,
      madd: (a, b, c) => (relaxed ? op("f32x4.relaxed_madd", a, b, c) : add(c, op("f32x4.mul", a, b))),
      zero: () => op("i32x4.splat", i32(0)),
    };
  }
  const add = (a: Expr<"v128">, b: Expr<"v128">) => op("f64x2.add", a, b);
  return {
    bytes: 8,
    lanes: 2,
    scalar: "f64",
    splatLoad: (address, offset) => load("v128.load64_splat", address, offset),
    laneLoad: load64Lane,
    add,
    madd: (a, b, c) => (relaxed ? op("f64x2.relaxed_madd", a, b, c) : add(c, op("f64x2.mul", a, b))),
    zero: () => op("i32x4.splat", i32(0)),
  };
}

const add = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.add", a, typeof b === "number" ? i32(b) : b);
const mul = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.mul", a, typeof b === "number" ? i32(b) : b);
const sub = (a: Expr<"i32">, b: Expr<"i32">): Expr<"i32"> => op("i32.sub", a, b);

function least(f: Func, a: Expr<"i32">, b: Expr<"i32">): Local<"i32"> {
  const x = f.let(a);
  const y = f.let(b);
  f.if(op("i32.lt_s", y, x), () => f.set(x, y));
  return x;
}

/** packB(b, rsb, csb, k, columns, to): panels of k rows of 64 bytes; columns past the end are zeros. */
function buildPackB(module: ModuleBuilder, e: Element): Func {
  return module.func(null, ["i32", "i32", "i32", "i32", "i32", "i32"], null, (f) => {
    const [b, rsb, csb, k, columns, to] = [0, 1, 2, 3, 4, 5].map((i) => f.param<"i32">(i));
    const width = PANEL_BYTES / e.bytes;
    const j = f.let(i32(0));
    const p = f.local("i32");
    const from = f.local("i32");
    const at = f.local("i32");
    const left = f.local("i32");
    const q = f.local("i32");
    f.for(j, columns, width, () => {
      f.set(left, sub(columns, j));
      f.set(from, add(b, mul(j, csb)));
      f.set(p, i32(0));
      f.if(
        op("i32.ge_s", left, i32(width)),
        () => {
          f.if(
            op("i32.eq", csb, i32(e.bytes)),
            () =>
              f.for(p, k, 1, () => {
                for (let v = 0; v < VECTORS; v++)
                  f.store("v128.store", to, load("v128.load", from, v * 16), v * 16);
                f.set(from, add(from, rsb));
                f.set(to, add(to, PANEL_BYTES));
              }),
            () =>
              f.for(p, k, 1, () => {
                f.set(at, from);
                for (let v = 0; v < VECTORS; v++) f.store("v128.store", to, gather(f, e, at, csb), v * 16);
                f.set(from, add(from, rsb));
                f.set(to, add(to, PANEL_BYTES));
              }),
          );
        },
        () =>
          f.for(p, k, 1, () => {
            for (let v = 0; v < VECTORS; v++) f.store("v128.store", to, e.zero(), v * 16);
            f.set(q, i32(0));
            f.set(at, from);
            f.for(q, left, 1, () => {
              const target = add(to, mul(q, e.bytes));
              if (e.bytes === 4) f.store("v128.store32_lane", target, e.splatLoad(at, 0));
              else f.store("v128.store64_lane", target, e.splatLoad(at, 0));
              f.set(at, add(at, csb));
            });
            f.set(from, add(from, rsb));
            f.set(to, add(to, PANEL_BYTES));
          }),
      );
    });
  });
}

/** The next vector of elements `stride` bytes apart; moves `at` behind them. */
function gather(f: Func, e: Element, at: Local<"i32">, stride: Expr<"i32">): Expr<"v128"> {
  const vector = f.let(e.splatLoad(at, 0));
  f.set(at, add(at, stride));
  for (let lane = 1; lane < e.lanes; lane++) {
    f.set(vector, e.laneLoad(lane, at, vector, 0));
    f.set(at, add(at, stride));
  }
  return vector;
}

/** packA(a, rsa, csa, rows, k, to): row-major rows of k elements (rounded up to whole vectors). */
function buildPackA(module: ModuleBuilder, e: Element): Func {
  return module.func(null, ["i32", "i32", "i32", "i32", "i32", "i32"], null, (f) => {
    const [a, rsa, csa, rows, k, to] = [0, 1, 2, 3, 4, 5].map((i) => f.param<"i32">(i));
    const i = f.let(i32(0));
    const p = f.local("i32");
    const at = f.local("i32");
    const whole = f.let(sub(k, op("i32.and", k, i32(e.lanes - 1))));
    f.for(i, rows, 1, () => {
      f.set(at, add(a, mul(i, rsa)));
      f.set(p, i32(0));
      f.for(p, whole, e.lanes, () => {
        f.store("v128.store", to, gather(f, e, at, csa));
        f.set(to, add(to, 16));
      });
      f.for(p, k, 1, () => {
        if (e.bytes === 4) f.store("v128.store32_lane", to, e.splatLoad(at, 0));
        else f.store("v128.store64_lane", to, e.splatLoad(at, 0));
        f.set(to, add(to, e.bytes));
        f.set(at, add(at, csa));
      });
    });
  });
}

/**
 * micro(a, rsa, b, rsb, c, rsc, k, more): rows × 4 vectors of C; `more` adds to what is there. `packed`: rows of B are
 * PANEL_BYTES apart, known when compiling. The loop is not unrolled: V8 11 then moves the sums between registers at every
 * step (measured: 49 GFLOP/s so, 31 unrolled by 4, on one core of 2.8 GHz).
 */
function buildMicro(module: ModuleBuilder, e: Element, rows: number, packed: boolean): Func {
  return module.func(null, ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"], null, (f) => {
    const [a, rsa, b, rsb, c, rsc, k, more] = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => f.param<"i32">(i));
    const rowsOfA = [a, ...(rows > 1 ? [f.let(add(a, rsa))] : [])];
    const sums = rowsOfA.map(() => Array.from({ length: VECTORS }, () => f.let(e.zero())));
    const vectors = Array.from({ length: VECTORS }, () => f.local("v128"));
    const p = f.let(i32(0));
    f.for(p, k, 1, () => {
      for (let v = 0; v < VECTORS; v++) f.set(vectors[v], load("v128.load", b, v * 16));
      rowsOfA.forEach((pointer, r) => {
        const x = f.let(e.splatLoad(pointer, 0));
        for (let v = 0; v < VECTORS; v++) f.set(sums[r][v], e.madd(x, vectors[v], sums[r][v]));
        f.set(pointer, add(pointer, e.bytes));
      });
      f.set(b, packed ? add(b, PANEL_BYTES) : add(b, rsb));
    });
    const targets = [c, ...(rows > 1 ? [f.let(add(c, rsc))] : [])];
    f.if(more, () => {
      targets.forEach((to, r) => {
        for (let v = 0; v < VECTORS; v++) f.set(sums[r][v], e.add(sums[r][v], load("v128.load", to, v * 16)));
      });
    });
    targets.forEach((to, r) => {
      for (let v = 0; v < VECTORS; v++) f.store("v128.store", to, sums[r][v], v * 16);
    });
  });
}

/** spill(tile, c, rsc, rows, columns, more): copies the part of a 2 × 4-vector tile that lies inside C. */
function buildSpill(module: ModuleBuilder, e: Element): Func {
  return module.func(null, ["i32", "i32", "i32", "i32", "i32", "i32"], null, (f) => {
    const [tile, c, rsc, rows, columns, more] = [0, 1, 2, 3, 4, 5].map((i) => f.param<"i32">(i));
    const r = f.let(i32(0));
    const j = f.local("i32");
    const from = f.local("i32");
    const to = f.local("i32");
    const x = f.local("v128");
    const end = f.let(mul(columns, e.bytes));
    f.for(r, rows, 1, () => {
      f.set(j, i32(0));
      f.for(j, end, e.bytes, () => {
        f.set(from, add(add(tile, mul(r, PANEL_BYTES)), j));
        f.set(to, add(add(c, mul(r, rsc)), j));
        f.set(x, e.splatLoad(from, 0));
        f.if(more, () => f.set(x, e.add(x, e.splatLoad(to, 0))));
        if (e.bytes === 4) f.store("v128.store32_lane", to, x);
        else f.store("v128.store64_lane", to, x);
      });
    });
  });
}

interface Parts {
  readonly packA: Func;
  readonly packB: Func;
  readonly micro: readonly Func[];
  readonly microDirect: readonly Func[];
  readonly spill: Func;
}

function buildGemm(module: ModuleBuilder, e: Element, parts: Parts): Func {
  const params = new Array<ValueType>(20).fill("i32");
  return module.func("gemm", params, null, (f) => {
    const all = params.map((_, i) => f.param<"i32">(i));
    const [a, b, c, m, n, k, rsa, csa, rsb, csb, rsc, batchA, batchB, batchC] = all;
    const [rows, columns, flags, from, to, scratch] = all.slice(14);
    const direct = f.let(op("i32.and", flags, i32(1)));
    const adds = f.let(op("i32.and", flags, i32(2)));
    const width = PANEL_BYTES / e.bytes;
    const up = (x: Expr<"i32">, by: Expr<"i32">) => op("i32.div_s", add(x, sub(by, i32(1))), by);
    const down = f.let(up(m, rows));
    const across = f.let(up(n, columns));
    const perProduct = f.let(mul(down, across));
    const t = f.let(from);
    const kk = f.local("i32");
    f.for(t, to, 1, () => {
      const batch = f.let(op("i32.div_s", t, perProduct));
      const block = f.let(op("i32.rem_s", t, perProduct));
      const i0 = f.let(mul(op("i32.div_s", block, across), rows));
      const j0 = f.let(mul(op("i32.rem_s", block, across), columns));
      const height = least(f, rows, sub(m, i0));
      const breadth = least(f, columns, sub(n, j0));
      const aBlock = f.let(add(add(a, mul(batch, batchA)), mul(i0, rsa)));
      const bBlock = f.let(add(add(b, mul(batch, batchB)), mul(j0, csb)));
      const cBlock = f.let(add(add(add(c, mul(batch, batchC)), mul(i0, rsc)), mul(j0, e.bytes)));
      f.set(kk, i32(0));
      f.for(kk, k, K_BLOCK, () => {
        const depth = least(f, i32(K_BLOCK), sub(k, kk));
        const more = f.let(op("i32.or", kk, adds));
        const aPart = f.let(add(aBlock, mul(kk, csa)));
        const aStep = f.let(rsa);
        f.if(op("i32.ne", csa, i32(e.bytes)), () => {
          f.call(parts.packA, aPart, rsa, csa, height, depth, add(scratch, SCRATCH_A));
          f.set(aPart, add(scratch, SCRATCH_A));
          f.set(aStep, mul(depth, e.bytes));
        });
        const bPart = f.let(add(bBlock, mul(kk, rsb)));
        const packed = f.let(add(scratch, SCRATCH_B));
        f.if(op("i32.eqz", direct), () => f.call(parts.packB, bPart, rsb, csb, depth, breadth, packed));
        const j = f.let(i32(0));
        f.for(j, breadth, width, () => {
          const left = f.let(sub(breadth, j));
          const whole = f.let(op("i32.ge_s", left, i32(width)));
          const fromB = f.let(op("i32.and", direct, whole));
          const bAt = f.local("i32");
          f.if(
            fromB,
            () => f.set(bAt, add(bPart, mul(j, csb))),
            () => {
              f.set(bAt, packed);
              f.if(direct, () => f.call(parts.packB, add(bPart, mul(j, csb)), rsb, csb, depth, left, packed));
            },
          );
          const i = f.let(i32(0));
          const cAt = f.let(add(cBlock, mul(j, e.bytes)));
          const aAt = f.let(aPart);
          const tile = f.let(add(scratch, SCRATCH_TILE));
          const run = (count: number) => {
            const micro = (target: Expr<"i32">, step: Expr<"i32">, onto: Expr<"i32">) => () => {
              const args = [aAt, aStep, bAt, rsb, target, step, depth, onto];
              f.if(
                fromB,
                () => f.call(parts.microDirect[count - 1], ...args),
                () => f.call(parts.micro[count - 1], ...args),
              );
            };
            f.if(whole, micro(cAt, rsc, more), () => {
              micro(tile, i32(PANEL_BYTES), i32(0))();
              f.call(parts.spill, tile, cAt, rsc, i32(count), left, more);
            });
            f.set(aAt, add(aAt, count === 2 ? add(aStep, aStep) : aStep));
            f.set(cAt, add(cAt, count === 2 ? add(rsc, rsc) : rsc));
          };
          f.for(i, op("i32.and", height, i32(-2)), 2, () => run(2));
          f.if(op("i32.and", height, i32(1)), () => run(1));
          f.set(
            packed,
            add(packed, op("i32.mul", depth, op("i32.mul", op("i32.eqz", direct), i32(PANEL_BYTES)))),
          );
        });
      });
    });
  });
}

/** For each column j of [from, to) and each row i: c[i, j] = Σ a[i, p]·b[p, j], both contiguous along p. */
function buildDots(module: ModuleBuilder, e: Element): void {
  const params = new Array<ValueType>(13).fill("i32");
  module.func("dots", params, null, (f) => {
    const all = params.map((_, i) => f.param<"i32">(i));
    const [a, b, c, m, , k, rsa, csb, rsc, csc, from, to] = all;
    const j = f.let(from);
    const i = f.local("i32");
    const p = f.local("i32");
    const whole = f.let(op("i32.and", k, i32(-e.lanes)));
    const columns = (count: number) => {
      f.set(i, i32(0));
      f.for(i, m, 1, () => {
        const x = f.let(add(a, mul(i, rsa)));
        const ys = [f.let(add(b, mul(j, csb)))];
        while (ys.length < count) ys.push(f.let(add(ys[ys.length - 1], csb)));
        const sums = ys.map(() => f.let(e.zero()));
        const tails = ys.map(() => f.let(e.zero()));
        f.set(p, i32(0));
        f.for(p, whole, e.lanes, () => {
          const v = f.let(load("v128.load", x));
          ys.forEach((y, q) => {
            f.set(sums[q], e.madd(v, load("v128.load", y), sums[q]));
          });
          for (const pointer of [x, ...ys]) f.set(pointer, add(pointer, 16));
        });
        f.for(p, k, 1, () => {
          const v = f.let(e.splatLoad(x, 0));
          ys.forEach((y, q) => {
            f.set(tails[q], e.madd(v, e.splatLoad(y, 0), tails[q]));
          });
          for (const pointer of [x, ...ys]) f.set(pointer, add(pointer, e.bytes));
        });
        const target = f.let(add(add(c, mul(i, rsc)), mul(j, csc)));
        ys.forEach((_, q) => {
          storeSum(f, e, target, sums[q], tails[q]);
          f.set(target, add(target, csc));
        });
      });
    };
    f.for(j, sub(to, i32(3)), 4, () => columns(4));
    f.for(j, to, 1, () => columns(1));
  });
}

/** Stores the sum of the lanes of `sum` and lane 0 of `tail`. */
function storeSum(f: Func, e: Element, to: Expr<"i32">, sum: Local<"v128">, tail: Local<"v128">): void {
  if (e.bytes === 4) {
    const lanes = [0, 1, 2, 3].map((i) => laneF32(sum, i));
    const pairs = op("f32.add", op("f32.add", lanes[0], lanes[1]), op("f32.add", lanes[2], lanes[3]));
    f.store("f32.store", to, op("f32.add", pairs, laneF32(tail, 0)));
    return;
  }
  const pair = op("f64.add", laneF64(sum, 0), laneF64(sum, 1));
  f.store("f64.store", to, op("f64.add", pair, laneF64(tail, 0)));
}

const laneF32 = (x: Expr<"v128">, lane: number): Expr<"f32"> => laneOp("f32x4.extract_lane", lane, x);
const laneF64 = (x: Expr<"v128">, lane: number): Expr<"f64"> => laneOp("f64x2.extract_lane", lane, x);
