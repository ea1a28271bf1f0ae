// expect: correct
// why: sorts, and counts changes
function sectors(addresses: number[], bytes: number): number {
  const all = addresses.flatMap((at) => [at >> 5, (at + bytes - 1) >> 5]).sort((a, b) => a - b);
  return all.filter((s, i) => i === 0 || s !== all[i - 1]).length;
}

function turns(addresses: number[], bytes: number): number {
  const words = bytes / 4;
  const group = 32 / words;
  let sum = 0;
  for (let g = 0; g < words; g++) {
    const wanted = [...new Set(addresses.slice(g * group, (g + 1) * group).flatMap((at) => Array.from({ length: words }, (_, w) => at / 4 + w)))];
    const perBank = new Map<number, number>();
    for (const w of wanted) perBank.set(w & 31, (perBank.get(w & 31) ?? 0) + 1);
    sum += Math.max(...perBank.values(), 1);
  }
  return sum;
}

function padding(width: number): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  let pad = 0;
  while (gcd(width + pad, 32) !== 1) pad++;
  return pad;
}
