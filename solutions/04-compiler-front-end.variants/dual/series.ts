// expect: correct
// why: truncated Taylor series for the higher ones, pairs for the first
class Pair implements Num {
  readonly v: Num;
  readonly d: Num;
  constructor(v: Num, d: Num) {
    this.v = v;
    this.d = d;
  }
  static lift(x: Num | number): Pair {
    return x instanceof Pair ? x : new Pair(typeof x === "number" ? new Real(x) : x, new Real(0));
  }
  number() {
    return this.v.number();
  }
  add(y: Num | number) {
    const o = Pair.lift(y);
    return new Pair(this.v.add(o.v), this.d.add(o.d));
  }
  sub(y: Num | number) {
    return this.add(Pair.lift(y).mul(-1));
  }
  mul(y: Num | number): Pair {
    if (typeof y === "number") return new Pair(this.v.mul(y), this.d.mul(y));
    const o = Pair.lift(y);
    return new Pair(this.v.mul(o.v), this.v.mul(o.d).add(o.v.mul(this.d)));
  }
  div(y: Num | number) {
    const o = Pair.lift(y);
    return new Pair(this.v.div(o.v), this.d.mul(o.v).sub(this.v.mul(o.d)).div(o.v.mul(o.v)));
  }
  private chain(v: Num, slope: Num) {
    return new Pair(v, slope.mul(this.d));
  }
  sin() {
    return this.chain(this.v.sin(), this.v.cos());
  }
  cos() {
    return this.chain(this.v.cos(), this.v.sin().mul(-1));
  }
  exp() {
    return this.chain(this.v.exp(), this.v.exp());
  }
  log() {
    return this.chain(this.v.log(), new Real(1).div(1).add(this.v.mul(0)).div(this.v));
  }
  relu() {
    return this.v.number() > 0 ? new Pair(this.v, this.d) : new Pair(this.v.mul(0), this.d.mul(0));
  }
}

function jvp(f: (x: Num[]) => Num[], point: number[], direction: number[]): { values: number[]; tangents: number[] } {
  const out = f(point.map((x, i) => new Pair(new Real(x), new Real(direction[i])))).map((y) => Pair.lift(y));
  return { values: out.map((y) => y.v.number()), tangents: out.map((y) => y.d.number()) };
}

function jacobian(f: (x: Num[]) => Num[], point: number[]): number[][] {
  const rows: number[][] = [];
  for (let j = 0; j < point.length; j++) {
    const e = new Array<number>(point.length).fill(0);
    e[j] = 1;
    jvp(f, point, e).tangents.forEach((t, i) => {
      rows[i] ??= [];
      rows[i][j] = t;
    });
  }
  return rows;
}

function nth(f: (x: Num) => Num, x: number, n: number): number {
  let argument: Num = new Real(x);
  for (let k = 0; k < n; k++) argument = new Pair(argument, new Real(1));
  let y = f(argument);
  for (let k = 0; k < n; k++) y = Pair.lift(y).d;
  return y.number();
}
