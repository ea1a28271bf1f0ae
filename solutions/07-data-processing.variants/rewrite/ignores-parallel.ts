// expect: wrong 7/10
// fails: random programs: the same results, the fewest hops | threads of their own
// why: fuses ops that ask for threads of their own
/** The same results with fewer hops. */
function optimize(program: Step[]): Step[] {
  let steps = [...program];
  const once = (rule: (a: Step, b: Step) => Step[] | null): boolean => {
    for (let i = 0; i + 1 < steps.length; i++) {
      const found = rule(steps[i], steps[i + 1]);
      if (!found) continue;
      steps = [...steps.slice(0, i), ...found, ...steps.slice(i + 2)];
      return true;
    }
    return false;
  };
  while (once(fused) || once(vectorized));
  return steps;
}

function fused(a: Step, b: Step): Step[] | null {
  if (a.op !== "call" || b.op !== "call") return null;
  const drops = a.fns.some(({ name }) => FUNCTIONS[name].kind === "filter");
  if (drops && b.fns.some(({ name }) => FUNCTIONS[name].counts)) return null;
  return [{ op: "call", fns: [...a.fns, ...b.fns] }];
}

function vectorized(a: Step, b: Step): Step[] | null {
  if (a.op !== "call" || b.op !== "batch") return null;
  if (a.fns.some(({ name, each }) => each || FUNCTIONS[name].kind === "filter")) return null;
  return [b, { ...a, fns: a.fns.map(({ name }) => ({ name, each: true })) }];
}
