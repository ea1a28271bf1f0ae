/**
 * A flame graph (an icicle: callers above) as one static SVG, so that it is there in a saved notebook too.
 * The renderers on npm draw into a live page with d3 from a network.
 */
export interface Frame {
  name: string;
  /** Where the function stands, for the reader. */
  place: string;
  /** Milliseconds in the function itself. */
  self: number;
  /** Milliseconds in it and in what it calls. */
  total: number;
  children: Frame[];
}

const WIDTH = 1000;
const ROW = 18;
/** Narrower frames would not be seen. */
const MIN_WIDTH = 0.5;
const MAX_DEPTH = 60;
const CHARACTER = 6.6;

export function flameGraph(root: Frame): string {
  const boxes: string[] = [];
  let deepest = 0;
  const visit = (frame: Frame, x: number, depth: number): void => {
    const width = (frame.total / root.total) * WIDTH;
    if (width < MIN_WIDTH || depth > MAX_DEPTH) return;
    deepest = Math.max(deepest, depth);
    boxes.push(box(frame, root.total, x, depth, width));
    let at = x;
    for (const child of [...frame.children].sort((a, b) => b.total - a.total)) {
      visit(child, at, depth + 1);
      at += (child.total / root.total) * WIDTH;
    }
  };
  visit(root, 0, 0);
  const height = (deepest + 1) * ROW;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="100%" ` +
    `style="max-width:${WIDTH}px" font-family="monospace" font-size="11">${boxes.join("")}</svg>`
  );
}

/** The functions in which most time was spent, for front ends without pictures. */
export function hottest(root: Frame, count = 10): string {
  const times = new Map<string, number>();
  const visit = (frame: Frame): void => {
    const key = label(frame);
    times.set(key, (times.get(key) ?? 0) + frame.self);
    frame.children.forEach(visit);
  };
  root.children.forEach(visit);
  const rows = [...times].filter(([, ms]) => ms > 0).sort(([, a], [, b]) => b - a);
  const lines = rows
    .slice(0, count)
    .map(([name, ms]) => `${ms.toFixed(1).padStart(9)} ms ${percent(ms, root.total).padStart(6)}  ${name}`);
  return [`${root.total.toFixed(1)} ms sampled; time in each function itself:`, ...lines].join("\n");
}

function box(frame: Frame, all: number, x: number, depth: number, width: number): string {
  const y = depth * ROW;
  const text = width > 4 * CHARACTER ? frame.name.slice(0, Math.floor((width - 6) / CHARACTER)) : "";
  const title = `${label(frame)}\n${frame.total.toFixed(1)} ms (${percent(frame.total, all)}), itself ${frame.self.toFixed(1)} ms`;
  return (
    `<g><title>${escaped(title)}</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" rx="1" fill="${colour(frame)}"/>` +
    `<text x="${(x + 3).toFixed(1)}" y="${y + 12}" fill="#222">${escaped(text)}</text></g>`
  );
}

function label({ name, place }: Frame): string {
  return place ? `${name} (${place})` : name;
}

function percent(part: number, all: number): string {
  return `${((100 * part) / all).toFixed(1)} %`;
}

/** Warm, the same for the same function; the whole is grey. */
function colour(frame: Frame): string {
  if (frame.place === "" && frame.name === "all") return "#d0d0d0";
  let hash = 0;
  for (const char of label(frame)) hash = (hash * 31 + char.codePointAt(0)!) >>> 0;
  return `hsl(${15 + (hash % 40)}, 85%, ${62 + ((hash >> 8) % 12)}%)`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
