// expect: wrong 6/9
// fails: each rule against central differences, along random directions | a Jacobian of five rows and three columns
// why: the quotient's rule with a plus
/** f's results at a point, and their derivatives along a direction. */
function jvp(f: (x: Num[]) => Num[], point: number[], direction: number[]): { values: number[]; tangents: number[] } {
  const results = f(point.map((x, i) => new Dual(new Real(x), new Real(direction[i]))));
  const parts = results.map((y) => (y instanceof Dual ? y : new Dual(y, new Real(0))));
  return { values: parts.map((y) => y.part.number()), tangents: parts.map((y) => y.tangent.number()) };
}

/** Row i, column j: the derivative of result i with respect to coordinate j. */
function jacobian(f: (x: Num[]) => Num[], point: number[]): number[][] {
  const columns = point.map((_, j) => jvp(f, point, point.map((_, i) => Number(i === j))).tangents);
  return columns[0].map((_, i) => columns.map((column) => column[i]));
}

/** The n-th derivative of f at x; the value itself for n = 0. */
function nth(f: (x: Num) => Num, x: number, n: number): number {
  const at = (x: Num, n: number): Num => {
    if (n === 0) return f(x);
    const y = at(new Dual(x, new Real(1)), n - 1);
    return y instanceof Dual ? y.tangent : new Real(0);
  };
  return at(new Real(x), n).number();
}

class Dual implements Num {
  constructor(
    readonly part: Num,
    readonly tangent: Num,
  ) {}
  private of(y: Num | number): Dual {
    if (y instanceof Dual) return y;
    return new Dual(typeof y === "number" ? new Real(y) : y, new Real(0));
  }
  number(): number {
    return this.part.number();
  }
  add(y: Num | number): Num {
    const z = this.of(y);
    return new Dual(this.part.add(z.part), this.tangent.add(z.tangent));
  }
  sub(y: Num | number): Num {
    const z = this.of(y);
    return new Dual(this.part.sub(z.part), this.tangent.sub(z.tangent));
  }
  mul(y: Num | number): Num {
    const z = this.of(y);
    return new Dual(this.part.mul(z.part), this.tangent.mul(z.part).add(this.part.mul(z.tangent)));
  }
  div(y: Num | number): Num {
    const z = this.of(y);
    const quotient = this.part.div(z.part);
    return new Dual(quotient, this.tangent.add(quotient.mul(z.tangent)).div(z.part));
  }
  sin(): Num {
    return new Dual(this.part.sin(), this.part.cos().mul(this.tangent));
  }
  cos(): Num {
    return new Dual(this.part.cos(), this.part.sin().mul(this.tangent).mul(-1));
  }
  exp(): Num {
    const y = this.part.exp();
    return new Dual(y, y.mul(this.tangent));
  }
  log(): Num {
    return new Dual(this.part.log(), this.tangent.div(this.part));
  }
  relu(): Num {
    return this.number() > 0 ? this : new Dual(new Real(0), new Real(0));
  }
}
