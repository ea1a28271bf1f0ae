/** Differences of two texts, line by line, by their longest common subsequence. */

export interface DiffLine {
  /** In both, in the first only, in the second only. */
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
}

/**
 * The lines of both texts in one list.
 * @example graph.diffLines("a\nb\nc", "a\nx\nc").map((line) => line.kind) // ["same", "removed", "added", "same"]
 */
export function diffLines(before: string, after: string): DiffLine[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  // common[i][j]: length of the longest common subsequence of a[i…] and b[j…]
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i++] });
      j++;
    } else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1]))
      lines.push({ kind: "removed", text: a[i++] });
    else lines.push({ kind: "added", text: b[j++] });
  }
  return lines;
}

const SIGNS = { same: " ", removed: "-", added: "+" } as const;

/**
 * As `diff` prints it: `-` and `+` in front of what differs.
 * @example graph.formatDiff(graph.diffLines("a\nb", "a\nc")) // "  a\n- b\n+ c"
 */
export function formatDiff(lines: readonly DiffLine[]): string {
  return lines.map(({ kind, text }) => `${SIGNS[kind]} ${text}`).join("\n");
}

/**
 * The differing lines with so many equal ones around each; longer equal runs become one line of "…".
 * @example graph.withContext(graph.diffLines("a\nb\nc\nd", "a\nb\nc\ne"), 1).map((line) => line.text) // ["…", "c", "d", "e"]
 */
export function withContext(lines: readonly DiffLine[], count = 3): DiffLine[] {
  const near = lines.map((_, i) =>
    lines.slice(Math.max(0, i - count), i + count + 1).some(({ kind }) => kind !== "same"),
  );
  return lines.flatMap((line, i): DiffLine[] => {
    if (near[i]) return [line];
    return i === 0 || near[i - 1] ? [{ kind: "same", text: "…" }] : [];
  });
}
