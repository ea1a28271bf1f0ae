// expect: correct
// why: two queues, first codes of each length, decoding by comparison
function codeLengths(counts: number[]): number[] {
  const present = counts.map((count, symbol) => ({ count, symbol })).filter(({ count }) => count > 0);
  const lengths = new Array<number>(counts.length).fill(0);
  if (present.length < 2) {
    for (const { symbol } of present) lengths[symbol] = 1;
    return lengths;
  }
  interface Tree {
    count: number;
    symbol?: number;
    parts?: Tree[];
  }
  const leaves: Tree[] = [...present].sort((a, b) => a.count - b.count);
  const inner: Tree[] = [];
  const least = (): Tree => (inner.length === 0 || (leaves.length > 0 && leaves[0].count <= inner[0].count) ? leaves : inner).shift() as Tree;
  while (leaves.length + inner.length > 1) {
    const parts = [least(), least()];
    inner.push({ count: parts[0].count + parts[1].count, parts });
  }
  const walk = (tree: Tree, depth: number): void => {
    if (tree.parts) for (const part of tree.parts) walk(part, depth + 1);
    else lengths[tree.symbol as number] = depth;
  };
  walk(inner[0], 0);
  return lengths;
}

function canonicalWords(lengths: number[]): string[] {
  const words = lengths.map(() => "");
  let last = "";
  for (let length = 1; length <= Math.max(0, ...lengths); length++)
    lengths.forEach((l, symbol) => {
      if (l !== length) return;
      last = (last === "" ? "" : plusOne(last)).padEnd(length, "0");
      words[symbol] = last;
    });
  return words;
}

function plusOne(word: string): string {
  const at = word.lastIndexOf("0");
  return at < 0 ? word : `${word.slice(0, at)}1${"0".repeat(word.length - at - 1)}`;
}

function decodeWords(bits: string, lengths: number[], count: number): number[] {
  const words = canonicalWords(lengths);
  const out: number[] = [];
  let rest = bits;
  while (out.length < count) {
    const symbol = words.findIndex((word) => word !== "" && rest.startsWith(word));
    if (symbol < 0) throw new Error("these bits are no words");
    out.push(symbol);
    rest = rest.slice(words[symbol].length);
  }
  return out;
}

function storedBits(counts: number[], table: number): number {
  const lengths = codeLengths(counts);
  let bits = 0;
  for (let s = 0; s < counts.length; s++) bits += table + counts[s] * lengths[s];
  return bits;
}
