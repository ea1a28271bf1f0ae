/**
 * Drawings of numbers that should be the same: a line for one axis, a map of squares for two (further axes are laid
 * below each other), your answer, what was expected, and the difference. Inline SVG without scripts.
 */
import type { ComparedNumbers, PlainNumber } from "../kit/numbers.js";

const WIDTH = 320;
const HEIGHT = 120;
const MAX_CELL = 24;
const MIN_CELL = 3;
const LEVELS = 24;
/** What is no number stands out. */
const ODD = "#d0f";

export function Plots({ numbers }: { numbers: ComparedNumbers }) {
  const { shape } = numbers;
  const got = numbers.got.map(Number);
  const expected = numbers.expected.map(Number);
  if (shape.length === 1) return <Lines got={got} expected={expected} />;
  const columns = shape[shape.length - 1];
  if (columns === 0 || columns * MIN_CELL > 2 * WIDTH) return null;
  const difference = got.map((value, i) => value - expected[i]);
  const values = [...got, ...expected].filter(Number.isFinite);
  const range: Range = [Math.min(...values), Math.max(...values)];
  const most = Math.max(...difference.filter(Number.isFinite).map(Math.abs), 0);
  const shared = { columns, blocks: shape[shape.length - 2] };
  return (
    <div class="maps">
      <HeatMap title="your answer" values={got} range={range} color={sequential} {...shared} />
      <HeatMap title="expected" values={expected} range={range} color={sequential} {...shared} />
      <HeatMap title="difference" values={difference} range={[-most, most]} color={diverging} {...shared} />
    </div>
  );
}

type Range = readonly [low: number, high: number];

interface MapProps {
  title: string;
  values: number[];
  range: Range;
  color: (share: number) => string;
  columns: number;
  /** Rows of one matrix; a gap follows. */
  blocks: number;
}

function HeatMap({ title, values, range: [low, high], color, columns, blocks }: MapProps) {
  const cell = Math.max(MIN_CELL, Math.min(MAX_CELL, Math.floor(WIDTH / 2 / columns)));
  const rows = Math.ceil(values.length / columns);
  const top = (row: number) => row * cell + Math.floor(row / (blocks || 1)) * 3;
  const span = high - low;
  // One path a colour: a square of its own for each number would make a page of megabytes.
  const colors = new Map<string, string[]>();
  for (const [i, value] of values.entries()) {
    const share = span > 0 ? Math.round(((value - low) / span) * LEVELS) / LEVELS : 0.5;
    const fill = Number.isFinite(value) ? color(share) : ODD;
    const square = `M${(i % columns) * cell} ${top(Math.floor(i / columns))}h${cell}v${cell}h-${cell}z`;
    colors.set(fill, [...(colors.get(fill) ?? []), square]);
  }
  return (
    <figure>
      <figcaption>
        {title} ({short(low)} to {short(high)})
      </figcaption>
      <svg
        width={columns * cell}
        height={top(rows - 1) + cell}
        role="img"
        aria-label={`${title}: ${rows} by ${columns} values from ${short(low)} to ${short(high)}`}
      >
        {[...colors].map(([fill, squares]) => (
          <path key={fill} fill={fill} d={squares.join("")} />
        ))}
      </svg>
    </figure>
  );
}

function Lines({ got, expected }: { got: number[]; expected: number[] }) {
  const values = [...got, ...expected].filter(Number.isFinite);
  if (values.length === 0) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (i: number) => 4 + (i * (WIDTH - 8)) / Math.max(1, got.length - 1);
  const y = (value: number) => HEIGHT - 6 - ((value - low) / (high - low || 1)) * (HEIGHT - 12);
  const missing = got.flatMap((value, i) => (Number.isFinite(value) ? [] : [i]));
  return (
    <figure>
      <figcaption>
        <span class="want-line">―</span> expected, <span class="got-line">●</span> your answer ({short(low)}{" "}
        to {short(high)})
      </figcaption>
      <svg
        width={WIDTH}
        height={HEIGHT}
        role="img"
        aria-label={`${got.length} values, yours beside the expected ones`}
      >
        <polyline class="want-line" points={path(expected, x, y)} />
        {got.map((value, i) =>
          Number.isFinite(value) ? (
            <circle key={`${i}`} class="got-line" cx={fixed(x(i))} cy={fixed(y(value))} r={2.5}>
              <title>{`[${i}]: ${short(value)}, expected ${short(expected[i])}`}</title>
            </circle>
          ) : null,
        )}
        {missing.map((i) => (
          <text key={`${i}`} x={fixed(x(i))} y={12} class="odd">
            {String(got[i])}
          </text>
        ))}
      </svg>
    </figure>
  );
}

function path(values: number[], x: (i: number) => number, y: (value: number) => number): string {
  return values
    .flatMap((value, i) => (Number.isFinite(value) ? [`${fixed(x(i))},${fixed(y(value))}`] : []))
    .join(" ");
}

/** Dark blue to yellow: even in lightness, and different for colour-blind eyes. */
function sequential(share: number): string {
  return `hsl(${Math.round(240 - 190 * share)} 70% ${Math.round(25 + 45 * share)}%)`;
}

/** Blue below, white at none, red above. */
function diverging(share: number): string {
  const distance = Math.abs(share - 0.5) * 2;
  return `hsl(${share < 0.5 ? 215 : 5} 80% ${Math.round(97 - 50 * distance)}%)`;
}

function short(value: PlainNumber | number): string {
  return typeof value === "number" && Number.isFinite(value)
    ? String(Number(value.toPrecision(4)))
    : String(value);
}

function fixed(value: number): number {
  return Math.round(value * 10) / 10;
}
