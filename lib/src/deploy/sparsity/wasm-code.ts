/** The sparse products of native-source.ts as WebAssembly, for the same memory and arguments. */
import {
  type Expr,
  type Func,
  i32,
  type Local,
  load,
  ModuleBuilder,
  op,
} from "../../runtime/wasm/assembler.js";
import { BLOCK } from "./native-source.js";

/** Columns of an item of the CSR product: eight vectors of sums. */
export const WASM_COLUMNS = 32;
/** Rows of x in an item of the block product. */
export const WASM_ROWS = 32;

const add = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.add", a, typeof b === "number" ? i32(b) : b);
const mul = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.mul", a, typeof b === "number" ? i32(b) : b);
const zero = (): Expr<"v128"> => op("i32x4.splat", i32(0));

function least(f: Func, a: Expr<"i32">, b: Expr<"i32">): Local<"i32"> {
  const x = f.let(a);
  const y = f.let(b);
  f.if(op("i32.lt_s", y, x), () => f.set(x, y));
  return x;
}

/**
 * A module with two kernels; strides are bytes.
 * `csr(starts, columns, values, b, c, rows, p, ldb, ldc | from, to, scratch)`: items are rows of c by 32 columns, columns outside.
 * `blocks(starts, inputs, values, x, y, blocks, rows, outputs, ldx, ldy | from, to, scratch)`: items are blocks by 32 rows.
 */
export function sparseModule(relaxed: boolean): ModuleBuilder {
  const module = new ModuleBuilder();
  const madd = (a: Expr<"v128">, b: Expr<"v128">, c: Expr<"v128">): Expr<"v128"> =>
    relaxed ? op("f32x4.relaxed_madd", a, b, c) : op("f32x4.add", c, op("f32x4.mul", a, b));
  addCsr(module, madd);
  addBlocks(module, madd);
  return module;
}

type MultiplyAdd = (a: Expr<"v128">, b: Expr<"v128">, c: Expr<"v128">) => Expr<"v128">;
const words = (count: number): "i32"[] => new Array<"i32">(count).fill("i32");

function addCsr(module: ModuleBuilder, madd: MultiplyAdd): void {
  const params = words(12);
  module.func("csr", params, null, (f) => {
    const [starts, columns, values, b, c, rows, p, ldb, ldc, from, to] = params.map((_, i) =>
      f.param<"i32">(i),
    );
    const item = f.let(from);
    const [at, weight, row] = [f.local("i32"), f.local("i32"), f.local("i32")];
    f.for(item, to, 1, () => {
      const i = f.let(op("i32.rem_s", item, rows));
      const j = f.let(mul(op("i32.div_s", item, rows), WASM_COLUMNS));
      const end = least(f, add(j, WASM_COLUMNS), p);
      const first = f.let(mul(load("i32.load", add(starts, mul(i, 4))), 4));
      const last = f.let(add(columns, mul(load("i32.load", add(starts, mul(i, 4)), 4), 4)));
      const target = f.let(add(c, mul(i, ldc)));
      /** Over the nonzero elements of the row; `each` gets the address of a row of b. */
      const walk = (each: () => void): void => {
        f.set(at, add(columns, first));
        f.set(weight, add(values, first));
        f.for(at, last, 4, () => {
          f.set(row, add(add(b, mul(load("i32.load", at), ldb)), mul(j, 4)));
          each();
          f.set(weight, add(weight, 4));
        });
      };
      const vectors = (count: number): void => {
        const sums = Array.from({ length: count }, () => f.let(zero()));
        const w = f.local("v128");
        walk(() => {
          f.set(w, load("v128.load32_splat", weight));
          sums.forEach((sum, q) => {
            f.set(sum, madd(w, load("v128.load", row, q * 16), sum));
          });
        });
        sums.forEach((sum, q) => {
          f.store("v128.store", add(target, mul(j, 4)), sum, q * 16);
        });
      };
      f.if(op("i32.eq", op("i32.sub", end, j), i32(WASM_COLUMNS)), () => {
        vectors(WASM_COLUMNS / 4);
        f.set(j, end);
      });
      f.for(j, add(end, -3), 4, () => vectors(1));
      f.for(j, end, 1, () => {
        const sum = f.let(op("f32.convert_i32_s", i32(0)));
        walk(() => {
          f.set(sum, op("f32.add", sum, op("f32.mul", load("f32.load", weight), load("f32.load", row))));
        });
        f.store("f32.store", add(target, mul(j, 4)), sum);
      });
    });
  });
}

function addBlocks(module: ModuleBuilder, madd: MultiplyAdd): void {
  const params = words(13);
  module.func("blocks", params, null, (f) => {
    const [starts, inputs, values, x, y, blocks, rows, outputs, ldx, ldy, from, to, scratch] = params.map(
      (_, i) => f.param<"i32">(i),
    );
    const item = f.let(from);
    const [at, weight] = [f.local("i32"), f.local("i32")];
    f.for(item, to, 1, () => {
      const block = f.let(op("i32.rem_s", item, blocks));
      const i = f.let(mul(op("i32.div_s", item, blocks), WASM_ROWS));
      const end = least(f, add(i, WASM_ROWS), rows);
      const start = f.let(load("i32.load", add(starts, mul(block, 4))));
      const last = f.let(add(inputs, mul(load("i32.load", add(starts, mul(block, 4)), 4), 4)));
      const j = f.let(mul(block, BLOCK));
      const width = least(f, i32(BLOCK), op("i32.sub", outputs, j));
      const sums = (count: number): void => {
        const acc = Array.from({ length: count }, () => Array.from({ length: 4 }, () => f.let(zero())));
        const lines = acc.map((_, r) => f.let(add(x, mul(add(i, r), ldx))));
        const spread = acc.map(() => f.local("v128"));
        f.set(at, add(inputs, mul(start, 4)));
        f.set(weight, add(values, mul(start, BLOCK * 4)));
        f.for(at, last, 4, () => {
          const input = f.let(mul(load("i32.load", at), 4));
          lines.forEach((line, r) => {
            f.set(spread[r], load("v128.load32_splat", add(line, input)));
          });
          for (let q = 0; q < 4; q++) {
            const w = f.let(load("v128.load", weight, q * 16));
            acc.forEach((row, r) => {
              f.set(row[q], madd(spread[r], w, row[q]));
            });
          }
          f.set(weight, add(weight, BLOCK * 4));
        });
        acc.forEach((row, r) => {
          const target = f.let(add(add(y, mul(add(i, r), ldy)), mul(j, 4)));
          const whole = op("i32.eq", width, i32(BLOCK));
          const write = (to: Local<"i32">): void => {
            row.forEach((sum, q) => {
              f.store("v128.store", to, sum, q * 16);
            });
          };
          f.if(
            whole,
            () => write(target),
            () => {
              write(scratch);
              f.copy(target, scratch, mul(width, 4));
            },
          );
        });
      };
      f.for(i, add(end, -1), 2, () => sums(2));
      f.for(i, end, 1, () => sums(1));
    });
  });
}
