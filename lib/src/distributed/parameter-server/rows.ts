/** The rows of a table that one partition holds. A row takes memory from its first push on; before, it is computed. */
import { WordStream } from "../../core/random.js";
import type { RowsSpec } from "./job.js";
import { hash } from "./layout.js";
import type { UpdateRule } from "./rule.js";

const FIRST_ROWS = 16;

export class RowTable {
  private readonly places = new Map<number, number>();
  private values: Float32Array<ArrayBuffer>;
  private slots: Float32Array<ArrayBuffer>[];
  private steps: Float64Array<ArrayBuffer>;

  constructor(
    readonly spec: RowsSpec,
    private readonly rule: UpdateRule,
  ) {
    this.values = new Float32Array(FIRST_ROWS * spec.width);
    this.slots = rule.slotNames.map(() => new Float32Array(FIRST_ROWS * spec.width));
    this.steps = new Float64Array(FIRST_ROWS);
  }

  /** Rows that were pushed. */
  get size(): number {
    return this.places.size;
  }

  /** @returns [ids, width] */
  read(ids: Uint32Array): Float32Array {
    const { width } = this.spec;
    const out = new Float32Array(ids.length * width);
    ids.forEach((id, i) => {
      const place = this.places.get(id);
      if (place === undefined) this.begin(id, out.subarray(i * width, (i + 1) * width));
      else out.set(this.values.subarray(place * width, (place + 1) * width), i * width);
    });
    return out;
  }

  /** @param ids each once @param gradients [ids, width] */
  step(ids: Uint32Array, gradients: Float32Array): void {
    if (ids.length === 0) return;
    const places = Array.from(ids, (id) => this.placeOf(id));
    const values = gathered(this.values, places, this.spec.width);
    const slots = this.slots.map((slot) => gathered(slot, places, this.spec.width));
    const steps = Float64Array.from(places, (place) => this.steps[place]);
    this.rule.step(values, gradients, slots, steps);
    scatter(values, this.values, places, this.spec.width);
    slots.forEach((slot, i) => {
      scatter(slot, this.slots[i], places, this.spec.width);
    });
    places.forEach((place, i) => {
      this.steps[place] = steps[i];
    });
  }

  set(ids: Uint32Array, values: Float32Array): void {
    const places = Array.from(ids, (id) => this.placeOf(id));
    scatter(values, this.values, places, this.spec.width);
  }

  /** Ids, values, steps, slots. */
  arrays(): [Uint32Array, Float32Array, Float64Array, ...Float32Array[]] {
    const count = this.size * this.spec.width;
    return [
      Uint32Array.from(this.places.keys()),
      this.values.slice(0, count),
      this.steps.slice(0, this.size),
      ...this.slots.map((slot) => slot.slice(0, count)),
    ];
  }

  restore(ids: Uint32Array, values: Float32Array, steps: Float64Array, slots: readonly Float32Array[]): void {
    this.places.clear();
    ids.forEach((id, place) => {
      this.places.set(id, place);
    });
    this.values = new Float32Array(values);
    this.steps = new Float64Array(steps);
    this.slots = slots.map((slot) => new Float32Array(slot));
  }

  private placeOf(id: number): number {
    const known = this.places.get(id);
    if (known !== undefined) return known;
    const [place, { width }] = [this.places.size, this.spec];
    if (place >= this.steps.length) this.grow(Math.max(FIRST_ROWS, 2 * this.steps.length));
    this.places.set(id, place);
    this.begin(id, this.values.subarray(place * width, (place + 1) * width));
    return place;
  }

  private grow(rows: number): void {
    const wider = (old: Float32Array): Float32Array<ArrayBuffer> => {
      const array = new Float32Array(rows * this.spec.width);
      array.set(old);
      return array;
    };
    this.values = wider(this.values);
    this.slots = this.slots.map(wider);
    const steps = new Float64Array(rows);
    steps.set(this.steps);
    this.steps = steps;
  }

  /** The row before its first push (Box and Muller's normal numbers). */
  private begin(id: number, out: Float32Array): void {
    const { name, deviation = 0, seed = 0 } = this.spec;
    if (deviation === 0) {
      out.fill(0);
      return;
    }
    const words = new WordStream([seed >>> 0, hash(name)], id);
    for (let i = 0; i < out.length; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - words.uniform()));
      out[i] = deviation * radius * Math.cos(2 * Math.PI * words.uniform());
    }
  }
}

function gathered(from: Float32Array, places: readonly number[], width: number): Float32Array {
  const out = new Float32Array(places.length * width);
  places.forEach((place, i) => {
    out.set(from.subarray(place * width, (place + 1) * width), i * width);
  });
  return out;
}

function scatter(from: Float32Array, to: Float32Array, places: readonly number[], width: number): void {
  places.forEach((place, i) => {
    to.set(from.subarray(i * width, (i + 1) * width), place * width);
  });
}
