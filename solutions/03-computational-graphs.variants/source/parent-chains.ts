// expect: correct
// why: environments are linked frames; branches only record what they assign
class Frame {
  readonly own = new Map<string, number | "one path">();
  constructor(readonly outer: Frame | null) {}
  get(name: string): number | "one path" | undefined {
    return this.own.get(name) ?? this.outer?.get(name);
  }
}

function convert(parameters: readonly string[], program: readonly Statement[]): StaticGraph {
  const nodes: StaticNode[] = [];
  const top = new Frame(null);
  for (const name of parameters) {
    top.own.set(name, nodes.length);
    nodes.push({ op: "input", inputs: [], name });
  }
  const compute = (e: Expression, frame: Frame): number => {
    switch (e.kind) {
      case "number":
        return nodes.push({ op: "number", inputs: [], value: e.value }) - 1;
      case "name": {
        const at = frame.get(e.name);
        if (typeof at !== "number") throw new ReferenceError(`variable ${e.name} has no value on some path`);
        return at;
      }
      case "call": {
        const left = compute(e.args[0], frame);
        const right = compute(e.args[1], frame);
        return nodes.push({ op: e.op, inputs: [left, right] }) - 1;
      }
    }
  };
  let output = -1;
  const walk = (statements: readonly Statement[], frame: Frame): void => {
    for (const s of statements) {
      if (s.kind === "return") output = compute(s.value, frame);
      else if (s.kind === "assign") frame.own.set(s.name, compute(s.value, frame));
      else {
        const test = compute(s.test, frame);
        const yes = new Frame(frame);
        const no = new Frame(frame);
        walk(s.then, yes);
        walk(s.else, no);
        for (const name of new Set([...yes.own.keys(), ...no.own.keys()])) {
          const a = yes.get(name);
          const b = no.get(name);
          if (typeof a !== "number" || typeof b !== "number") frame.own.set(name, "one path");
          else frame.own.set(name, a === b ? a : nodes.push({ op: "cond", inputs: [test, a, b] }) - 1);
        }
      }
    }
  };
  walk(program, top);
  return { nodes, output };
}
