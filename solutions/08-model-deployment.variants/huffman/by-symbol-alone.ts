// expect: wrong 5/8
// fails: back from the bits | canonical: by length, then by symbol | four symbols
// why: hands out words in the order of the symbols
/** Lengths of a Huffman code's words. */
function codeLengths(counts: number[]): number[] {
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
  const order = lengths.flatMap((length, symbol) => (length > 0 ? [{ length, symbol }] : []));
  let code = 0n;
  let before = 0;
  for (const { length, symbol } of order) {
    code = length >= before ? code << BigInt(length - before) : code >> BigInt(before - length);
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
