/**
 * A fake of any library's table: it records calls with copies of their arguments, checks each argument against its kind in the
 * table, hands out handles, and knows which were given back.
 */
import type { ArgumentKind, RawLibrary, Signatures } from "../../../src/runtime/cuda/table.js";

export interface RecordedCall {
  readonly name: string;
  /** Host memory as its first eight int32. */
  readonly args: readonly unknown[];
}

export class Recording<S extends Signatures> {
  readonly calls: RecordedCall[] = [];
  readonly raw: RawLibrary<S>;
  /** Handles made and not destroyed, by the function that made them. */
  readonly alive = new Map<number, string>();
  private next = 0x10;

  /** @param answers what a function does beside: a code, or nothing for success */
  constructor(
    signatures: S,
    answers: Readonly<Partial<Record<keyof S, (...args: unknown[]) => number | undefined>>> = {},
  ) {
    const table: Record<string, (...args: unknown[]) => number> = {};
    for (const [name, kinds] of Object.entries(signatures))
      table[name] = (...args) => {
        this.check(name, kinds, args);
        this.calls.push({ name, args: args.map(shown) });
        if (/Create|InitRank/.test(name)) {
          this.next += 0x10;
          (args[0] as BigUint64Array)[0] = BigInt(this.next);
          this.alive.set(this.next, name);
        }
        if (/Destroy/.test(name) && !this.alive.delete(args[0] as number))
          throw new Error(`${name}: ${args[0]} is no handle that is alive`);
        return answers[name]?.(...args) ?? 0;
      };
    this.raw = table as unknown as RawLibrary<S>;
  }

  named(name: keyof S): RecordedCall[] {
    return this.calls.filter((call) => call.name === name);
  }

  private check(name: string, kinds: readonly ArgumentKind[], args: readonly unknown[]): void {
    if (args.length !== kinds.length)
      throw new Error(`${name} takes ${kinds.length} arguments, got ${args.length}`);
    kinds.forEach((kind, i) => {
      const x = args[i];
      const whole = Number.isSafeInteger(x);
      const ok =
        kind === "host"
          ? x === null || whole || ArrayBuffer.isView(x)
          : kind === "text"
            ? typeof x === "string"
            : kind === "id"
              ? (x as { internal: unknown }).internal instanceof Uint8Array
              : kind === "f32"
                ? typeof x === "number"
                : kind === "i32"
                  ? whole && (x as number) === ((x as number) | 0)
                  : whole && (x as number) >= (kind === "i64" ? Number.MIN_SAFE_INTEGER : 0);
      if (!ok) throw new Error(`${name}, argument ${i}: ${String(x)} is no ${kind}`);
    });
  }
}

const shown = (x: unknown): unknown =>
  ArrayBuffer.isView(x) ? [...new Int32Array(x.buffer, x.byteOffset, 8)] : x;
