/** Curves of states and inputs over time, as SVG: light enough to stand beside every plan in a notebook. */
import { escapeHtml, type MimeBundle } from "../../core/display.js";
import { PALETTE } from "../../viz/plot.js";

export interface CurveOptions {
  readonly stateNames?: readonly string[];
  readonly inputNames?: readonly string[];
  readonly xLabel?: string;
  readonly title?: string;
}

interface Panel {
  readonly rows: readonly (readonly number[])[];
  readonly names: readonly string[];
  /** Inputs are constant between samples. */
  readonly steps: boolean;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, GAP] = [560, 130, 52, 130, 26];

/**
 * A trajectory as a MIME bundle (SVG): states above, inputs below.
 * @example Object.keys(control.trajectoryDisplay({ states: [[0], [1]], inputs: [[1]], dt: 0.1 })).length // 2
 */
export function trajectoryDisplay(
  {
    states,
    inputs,
    dt,
  }: {
    readonly states: readonly (readonly number[])[];
    readonly inputs: readonly (readonly number[])[];
    readonly dt: number;
  },
  { stateNames, inputNames, xLabel = "time (s)", title = "trajectory" }: CurveOptions = {},
): MimeBundle {
  const names = (
    given: readonly string[] | undefined,
    rows: readonly (readonly number[])[],
    letter: string,
  ) => given ?? (rows[0] ?? []).map((_, i) => `${letter}${i}`);
  const panels: Panel[] = [
    { rows: states, names: names(stateNames, states, "x"), steps: false },
    { rows: inputs, names: names(inputNames, inputs, "u"), steps: true },
  ];
  const span = Math.max(1, states.length - 1);
  const px = (k: number): number => LEFT + (k / span) * (WIDTH - LEFT - RIGHT);
  const parts = panels.map((panel, i) => drawn(panel, i * (HEIGHT + GAP) + 12, px));
  const bottom = 2 * (HEIGHT + GAP) + 6;
  const ends = [0, span].map(
    (k) => `<text x="${px(k)}" y="${bottom}" text-anchor="middle">${Number((k * dt).toPrecision(4))}</text>`,
  );
  return {
    "image/svg+xml": `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 8}" width="${WIDTH}" font-family="sans-serif" font-size="10" fill="#7f7f7f" role="img" aria-label="${escapeHtml(title)}">${parts.join("")}${ends.join("")}<text x="${px(span / 2)}" y="${bottom}" text-anchor="middle">${escapeHtml(xLabel)}</text></svg>`,
    "text/plain": `${title}: ${inputs.length} steps of ${dt}, last state [${(states[states.length - 1] ?? []).map((v) => v.toPrecision(4)).join(", ")}]`,
  };
}

function drawn({ rows, names, steps }: Panel, top: number, px: (k: number) => number): string {
  const values = rows.flat().filter(Number.isFinite);
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [0, 0]);
  const room = high - low || 1;
  const py = (v: number): number => top + HEIGHT * (1 - (v - low) / room);
  const curves = names.map((name, i) => {
    const colour = PALETTE[i % PALETTE.length];
    const points = rows.flatMap((row, k) =>
      (steps ? [k, k + 1] : [k]).map((at) => `${px(at).toFixed(1)},${py(row[i]).toFixed(1)}`),
    );
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points.join(" ")}"/><text x="${WIDTH - RIGHT + 8}" y="${top + 10 + 13 * i}" fill="${colour}">${escapeHtml(name)}</text>`;
  });
  const labels = [low, high].map(
    (v) => `<text x="${LEFT - 6}" y="${py(v) + 3}" text-anchor="end">${Number(v.toPrecision(3))}</text>`,
  );
  return `<rect x="${LEFT}" y="${top}" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT}" fill="none" stroke="#7f7f7f55"/><line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(0)}" y2="${py(0)}" stroke="#7f7f7f55"/>${curves.join("")}${labels.join("")}`;
}
