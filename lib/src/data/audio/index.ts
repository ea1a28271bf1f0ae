/** Operations on sound: waveforms (…, time) and spectrograms (…, frequency, time), float32. Formulas of torchaudio. */
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import type { PlainArray } from "../formats/array.js";

type Floats = PlainArray<"float32">;

/**
 * A low-pass filter of second order, with ends at ±1 (torchaudio's lowpass_biquad; Bristow-Johnson's cookbook).
 * @param wave float32 (…, time), within ±1
 * @param sampleRate in Hz
 * @param cutoff in Hz: there the power is halved, for the default Q
 * @example data.lowpassBiquad({ dtype: "float32", shape: [3], data: new Float32Array([1, 1, 1]) }, 8000, 1000).data // [0.09763, 0.38494, 0.72091]
 * @throws ValueError if the cutoff is not between 0 and half the rate.
 */
export function lowpassBiquad(wave: Floats, sampleRate: number, cutoff: number, q = Math.SQRT1_2): Floats {
  if (!(cutoff > 0 && cutoff < sampleRate / 2))
    throw new ValueError(`lowpassBiquad: the cutoff is between 0 and ${sampleRate / 2} Hz, got ${cutoff}`);
  if (!(q > 0)) throw new ValueError(`lowpassBiquad: Q is above 0, got ${q}`);
  const angle = (2 * Math.PI * cutoff) / sampleRate;
  const alpha = Math.sin(angle) / (2 * q);
  const scale = 1 + alpha;
  const b1 = (1 - Math.cos(angle)) / scale;
  const [a1, a2] = [(-2 * Math.cos(angle)) / scale, (1 - alpha) / scale];
  const out = new Float32Array(wave.data.length);
  const time = wave.shape.at(-1) ?? 0;
  for (let start = 0; start < out.length; start += time) {
    let [x1, x2, y1, y2] = [0, 0, 0, 0];
    for (let i = start; i < start + time; i++) {
      const x = wave.data[i];
      const y = (b1 / 2) * (x + x2) + b1 * x1 - a1 * y1 - a2 * y2;
      [x2, x1, y2, y1] = [x1, x, y1, y];
      out[i] = Math.min(1, Math.max(-1, y)); // what is fed back is not clipped
    }
  }
  return { dtype: "float32", shape: wave.shape, data: out };
}

/**
 * Sizes of complex numbers, to a power: (re² + im²)^(power / 2) over the last axis of 2.
 * @example data.complexNorm({ dtype: "float32", shape: [1, 2], data: new Float32Array([3, 4]) }).data // [5]
 * @throws ValueError if the last axis is not 2.
 */
export function complexNorm(values: Floats, power = 1): Floats {
  if (values.shape.at(-1) !== 2)
    throw new ValueError(
      `complexNorm: the last axis holds real and imaginary part, got (${values.shape.join(", ")})`,
    );
  const out = new Float32Array(values.data.length / 2);
  for (let i = 0; i < out.length; i++)
    out[i] = (values.data[2 * i] ** 2 + values.data[2 * i + 1] ** 2) ** (power / 2);
  return { dtype: "float32", shape: values.shape.slice(0, -1), data: out };
}

/**
 * Blanks a stretch of time, the same for all frequencies (SpecAugment; torchaudio's TimeMasking). Its length is drawn evenly below
 * `most`, then its place.
 * @param spectrogram float32 (…, frequency, time)
 * @example data.timeMasking({ dtype: "float32", shape: [1, 4], data: new Float32Array([1, 1, 1, 1]) }, 1, [7, 0]).data // [1, 1, 1, 1]
 * @throws ValueError if `most` is longer than the time there is.
 */
export function timeMasking(
  spectrogram: Floats,
  most: number,
  key: readonly [number, number],
  { value = 0 }: { readonly value?: number } = {},
): Floats {
  const time = spectrogram.shape.at(-1) ?? 0;
  if (!(most >= 0 && most <= time))
    throw new ValueError(`timeMasking: a stretch of 0 to ${time} steps, got ${most}`);
  const random = new WordStream(key);
  const uniform = (): number => random.next() / 2 ** 32;
  const length = uniform() * most;
  const from = Math.floor(uniform() * (time - length));
  const data = spectrogram.data.slice();
  for (let row = 0; row < data.length; row += time)
    data.fill(value, row + from, row + from + Math.floor(length));
  return { dtype: "float32", shape: spectrogram.shape, data };
}
