/** Learning rates that change with the number of steps taken. */

/** Always `rate`. */
export function constant(rate: number): (step: number) => number {
  return () => rate;
}

/** `rate`, times `factor` after every `every` steps. */
export function stepDecay(rate: number, every: number, factor = 0.1): (step: number) => number {
  return (step) => rate * factor ** Math.floor(step / every);
}

/** From `rate` to `least` along half a cosine over `steps` (Loshchilov & Hutter 2017). */
export function cosine(rate: number, steps: number, least = 0): (step: number) => number {
  return (step) => least + (rate - least) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / steps)));
}

/** Rises linearly over `steps`, then follows `after`. */
export function warmup(steps: number, after: (step: number) => number): (step: number) => number {
  return (step) => (step < steps ? (after(0) * (step + 1)) / steps : after(step - steps));
}
