/**
 * Random numbers of a simulation: each is a pure function of the seed, the robot, the sensor, the step and its index.
 * So a reading is the same whether or not other sensors were read, and after a restored snapshot.
 */
import { ValueError } from "../../core/errors.js";
import { philox4x32 } from "../../core/random.js";

/** What random numbers are for: the streams of different sensors have nothing in common. */
export const CHANNELS = {
  slip: 1,
  odometry: 2,
  imu: 3,
  imuBias: 4,
  lidar: 5,
  lidarDropout: 6,
  camera: 7,
  landmarks: 8,
  landmarkCamera: 9,
  world: 10,
  texture: 11,
  environment: 12,
} as const;

export type Channel = keyof typeof CHANNELS;

const UNIT = 2 ** -32;

export class NoiseSource {
  private readonly key: [number, number];
  private readonly counter: [number, number, number, number] = [0, 0, 0, 0];
  private readonly block = new Uint32Array(4);

  /** @param seed a whole number from 0 to 2⁵³ − 1 */
  constructor(readonly seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new ValueError(`a seed is a whole number from 0 to 2^53 − 1, got ${seed}`);
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
  }

  private draw(channel: Channel, robot: number, step: number, index: number): Uint32Array {
    const { counter } = this;
    counter[0] = index;
    counter[1] = step >>> 0;
    counter[2] = CHANNELS[channel];
    counter[3] = robot;
    philox4x32(this.key, counter, this.block);
    return this.block;
  }

  /** Fills `out` with independent numbers of the standard normal distribution (Box–Muller). */
  normals(channel: Channel, robot: number, step: number, out: Float64Array): Float64Array {
    for (let i = 0; i < out.length; i += 4) {
      const words = this.draw(channel, robot, step, i >>> 2);
      for (let j = 0; j < 4 && i + j < out.length; j += 2) {
        const radius = Math.sqrt(-2 * Math.log((words[j] + 1) * UNIT)); // (0, 1]: the logarithm is finite
        const angle = 2 * Math.PI * UNIT * words[j + 1];
        out[i + j] = radius * Math.cos(angle);
        if (i + j + 1 < out.length) out[i + j + 1] = radius * Math.sin(angle);
      }
    }
    return out;
  }

  /** Fills `out` with independent numbers of [0, 1). */
  uniforms(channel: Channel, robot: number, step: number, out: Float64Array): Float64Array {
    for (let i = 0; i < out.length; i += 4) {
      const words = this.draw(channel, robot, step, i >>> 2);
      for (let j = 0; j < 4 && i + j < out.length; j++) out[i + j] = words[j] * UNIT;
    }
    return out;
  }

  /** Fills `out` with random numbers of 16 bits. */
  halves(channel: Channel, robot: number, step: number, out: Uint16Array): Uint16Array {
    for (let i = 0; i < out.length; i += 8) {
      const words = this.draw(channel, robot, step, i >>> 3);
      for (let j = 0; j < 8 && i + j < out.length; j++) out[i + j] = words[j >> 1] >>> ((j & 1) * 16);
    }
    return out;
  }

  /** Fills `out` with random bytes. */
  bytes(channel: Channel, robot: number, step: number, out: Uint8Array): Uint8Array {
    for (let i = 0; i < out.length; i += 16) {
      const words = this.draw(channel, robot, step, i >>> 4);
      for (let j = 0; j < 16 && i + j < out.length; j++) out[i + j] = words[j >> 2] >>> ((j & 3) * 8);
    }
    return out;
  }
}

/** Uniform numbers one after the other, for what is generated once (worlds, scenes, starts). */
export class Draws {
  private readonly buffer = new Float64Array(4);
  private drawn = 0;

  constructor(
    private readonly source: NoiseSource,
    private readonly channel: Channel,
    private readonly lane = 0,
  ) {}

  /** In [low, high). */
  uniform(low = 0, high = 1): number {
    if (this.drawn % 4 === 0) this.source.uniforms(this.channel, this.lane, this.drawn / 4, this.buffer);
    return low + this.buffer[this.drawn++ % 4] * (high - low);
  }

  /** A whole number in 0 … count − 1. */
  below(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }

  /** The items in random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }
}
