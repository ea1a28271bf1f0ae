/** Exact fractions of whole numbers, in lowest terms: matrices that are derived must not be rounded on the way. */
import { ValueError } from "../../core/errors.js";

export class Rational {
  private constructor(
    readonly numerator: bigint,
    /** Greater than 0. */
    readonly denominator: bigint,
  ) {}

  /** @throws ValueError for a denominator of 0. */
  static of(numerator: number | bigint, denominator: number | bigint = 1): Rational {
    let [a, b] = [BigInt(numerator), BigInt(denominator)];
    if (b === 0n) throw new ValueError(`the fraction ${a}/0 has no value`);
    if (b < 0n) [a, b] = [-a, -b];
    const divisor = greatestCommon(a < 0n ? -a : a, b);
    return new Rational(a / divisor, b / divisor);
  }

  /** From `-3`, `1/2` or a number that is a whole one. @throws ValueError for anything else. */
  static from(text: string | number): Rational {
    const found = /^(-?\d+)(?:\/(\d+))?$/.exec(String(text));
    if (!found) throw new ValueError(`"${text}" is no fraction: write it as 3, -3 or 1/2`);
    return Rational.of(BigInt(found[1]), BigInt(found[2] ?? 1));
  }

  plus(other: Rational): Rational {
    return Rational.of(
      this.numerator * other.denominator + other.numerator * this.denominator,
      this.denominator * other.denominator,
    );
  }

  minus(other: Rational): Rational {
    return this.plus(other.negated());
  }

  times(other: Rational): Rational {
    return Rational.of(this.numerator * other.numerator, this.denominator * other.denominator);
  }

  over(other: Rational): Rational {
    return Rational.of(this.numerator * other.denominator, this.denominator * other.numerator);
  }

  negated(): Rational {
    return new Rational(-this.numerator, this.denominator);
  }

  power(exponent: number): Rational {
    return new Rational(this.numerator ** BigInt(exponent), this.denominator ** BigInt(exponent));
  }

  get sign(): number {
    return this.numerator === 0n ? 0 : this.numerator < 0n ? -1 : 1;
  }

  /** The nearest float64. */
  get value(): number {
    return Number(this.numerator) / Number(this.denominator);
  }

  toString(): string {
    return this.denominator === 1n ? `${this.numerator}` : `${this.numerator}/${this.denominator}`;
  }
}

function greatestCommon(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommon(b, a % b);
}
