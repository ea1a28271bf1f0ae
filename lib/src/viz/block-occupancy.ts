/** Blocks of a paged cache over time. */
import { ValueError } from "../core/errors.js";
import { Figure, type FigureOptions, layoutOf, PALETTE } from "./plot.js";

/** By what stands for it in the picture: −1, 0, 1, 2. */
const KINDS = ["known contents", "free", "one sequence", "several sequences"] as const;
const COLOURS = ["#c7d5e8", "rgba(127,127,127,0.08)", PALETTE[0], PALETTE[1]];

/**
 * A column per step, a row per block: free, free with contents that can still be found, of one sequence, or of several.
 * @param steps `engine.trace`: for each block the number of sequences that have it, −1 for known contents that nobody has
 * @throws ValueError if steps have different numbers of blocks
 * @example viz.blockOccupancy([{ occupancy: [1, 0] }, { occupancy: [2, -1] }]).data[0].type // "heatmap"
 */
export function blockOccupancy(
  steps: readonly { readonly occupancy: ArrayLike<number> }[],
  options: FigureOptions = {},
): Figure {
  const blocks = steps[0]?.occupancy.length ?? 0;
  for (const [i, { occupancy }] of steps.entries())
    if (occupancy.length !== blocks)
      throw new ValueError(`blockOccupancy: step ${i} has ${occupancy.length} blocks, step 0 has ${blocks}`);
  const z = Array.from({ length: blocks }, (_, block) =>
    steps.map(({ occupancy }) => Math.max(-1, Math.min(2, occupancy[block]))),
  );
  // each kind is a plain stretch of the scale
  const colorscale = COLOURS.flatMap((colour, i) => [
    [i / COLOURS.length, colour],
    [(i + 1) / COLOURS.length, colour],
  ]);
  const trace = {
    ...{ type: "heatmap", z, zmin: -1.5, zmax: 2.5, colorscale },
    colorbar: { tickvals: [-1, 0, 1, 2], ticktext: KINDS },
    hovertemplate: "step %{x}, block %{y}<extra></extra>",
  };
  return new Figure([trace], layoutOf({ xLabel: "step", yLabel: "block", ...options }));
}
