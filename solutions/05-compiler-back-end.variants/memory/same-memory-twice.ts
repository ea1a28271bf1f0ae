// expect: wrong 8/9
// fails: the same memory under two names
// why: does not see the operand under another name
interface Lifetime {
  first: number;
  last: number;
}

/** For each value with memory of its own, when it is needed. */
function lifetimes(p: Program): Record<string, Lifetime> {
  const found: Record<string, Lifetime> = {};
  const home = homes(p);
  p.ops.forEach(({ name, kind, inputs }, i) => {
    if (kind !== "view") found[name] = { first: i, last: i };
    for (const x of inputs) if (home[x] in found) found[home[x]].last = i;
  });
  for (const x of p.results) if (home[x] in found) found[home[x]].last = p.ops.length;
  return found;
}

/** The most bytes alive while one op runs. */
function peakBytes(p: Program): number {
  const alive = Object.entries(lifetimes(p));
  const at = (i: number) => alive.reduce((sum, [name, { first, last }]) => sum + (first <= i && i <= last ? p.bytes[name] : 0), 0);
  return Math.max(0, ...p.ops.map((_, i) => at(i)));
}

/** Which op may write over which operand. */
function inPlace(p: Program): Record<string, string> {
  const life = lifetimes(p);
  const home = homes(p);
  const over: Record<string, string> = {};
  p.ops.forEach(({ name, kind, inputs }, i) => {
    if (kind !== "elementwise") return;
    const fits = inputs.find(
      (x) => x in life && life[x].last === i && p.bytes[x] === p.bytes[name],
    );
    if (fits !== undefined) over[name] = fits;
  });
  return over;
}

/** The value in whose memory each value lies. */
function homes(p: Program): Record<string, string> {
  const home: Record<string, string> = Object.fromEntries(p.params.map((name) => [name, name]));
  for (const { name, kind, inputs } of p.ops) home[name] = kind === "view" ? home[inputs[0]] : name;
  return home;
}
