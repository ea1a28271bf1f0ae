// expect: wrong 3/8
// fails: as few bits as there can be | four symbols | symbols that never occur, and one alone | what is stored
// why: rounds −log₂ of the share up: Shannon's code, which is longer
/** Lengths of a Huffman code's words. */
function codeLengths(counts: number[]): number[] {
  const all = counts.reduce((a, b) => a + b, 0);
  if (counts.filter((c) => c > 0).length > 1) return counts.map((c) => (c > 0 ? Math.max(1, Math.ceil(Math.log2(all / c))) : 0));
  const lengths = counts.map(() => 0);
  let trees = counts.flatMap((count, symbol) => (count > 0 ? [{ count, symbols: [symbol] }] : []));
  if (trees.length === 1) lengths[trees[0].symbols[0]] = 1;
  while (trees.length > 1) {
    trees = trees.sort((a, b) => a.count - b.count);
    const [first, second, ...others] = trees;
    const symbols = [...first.symbols, ...second.symbols];
    for (const s of symbols) lengths[s]++;
    trees = [...others, { count: first.count + second.count, symbols }];
  }
  return lengths;
}

/** The canonical code of these lengths. */
function canonicalWords(lengths: number[]): string[] {
  const words = lengths.map(() => "");
  const order = lengths.flatMap((length, symbol) => (length > 0 ? [{ length, symbol }] : [])).sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0n;
  let before = 0;
  for (const { length, symbol } of order) {
    code <<= BigInt(length - before);
    before = length;
    words[symbol] = code.toString(2).padStart(length, "0");
    code++;
  }
  return words;
}

/** The symbols that bits stand for. */
function decodeWords(bits: string, lengths: number[], count: number): number[] {
  const symbols = new Map(canonicalWords(lengths).map((word, symbol) => [word, symbol]));
  symbols.delete("");
  const found: number[] = [];
  let word = "";
  for (let at = 0; found.length < count; at++) {
    if (at >= bits.length) throw new Error("the bits end before all symbols are there, or are no word");
    word += bits[at];
    const symbol = symbols.get(word);
    if (symbol === undefined) continue;
    found.push(symbol);
    word = "";
  }
  return found;
}

/** Bits of symbols and table together. */
function storedBits(counts: number[], table: number): number {
  const lengths = codeLengths(counts);
  return counts.reduce((sum, n, s) => sum + n * lengths[s], table * counts.length);
}
