// expect: wrong 0/6
// why: keeps only the then branch, as a trace would
/** The static graph of a program with these parameters. */
function convert(parameters: readonly string[], program: readonly Statement[]): StaticGraph {
  type Environment = Map<string, number>;
  const UNDEFINED_ON_ONE_PATH = -1;
  const nodes: StaticNode[] = [];
  const node = (entry: StaticNode): number => nodes.push(entry) - 1;
  const expression = (e: Expression, env: Environment): number => {
    if (e.kind === "number") return node({ op: "number", inputs: [], value: e.value });
    if (e.kind === "name") {
      const at = env.get(e.name);
      if (at === undefined) throw new Error(`${e.name} is not defined`);
      if (at === UNDEFINED_ON_ONE_PATH) throw new Error(`${e.name} is defined in one branch only`);
      return at;
    }
    const inputs = e.args.map((arg) => expression(arg, env));
    return node({ op: e.op, inputs });
  };
  const block = (statements: readonly Statement[], env: Environment): number => {
    for (const statement of statements) {
      if (statement.kind === "return") return expression(statement.value, env);
      if (statement.kind === "assign") {
        env.set(statement.name, expression(statement.value, env));
        continue;
      }
      const test = expression(statement.test, env);
      void test;
      block(statement.then, env);
      const [then, otherwise] = [env, env];
      for (const name of new Set([...then.keys(), ...otherwise.keys()])) {
        const a = then.get(name) ?? UNDEFINED_ON_ONE_PATH;
        const b = otherwise.get(name) ?? UNDEFINED_ON_ONE_PATH;
        if (a === b) env.set(name, a);
        else if (a < 0 || b < 0) env.set(name, UNDEFINED_ON_ONE_PATH);
        else env.set(name, node({ op: "cond", inputs: [test, a, b] }));
      }
    }
    return UNDEFINED_ON_ONE_PATH;
  };
  const environment: Environment = new Map(parameters.map((name) => [name, node({ op: "input", inputs: [], name })]));
  return { output: block(program, environment), nodes };
}
