// expect: wrong 6/7
// fails: what stands in arrays, also when it came later
// why: looks into arrays of cells, but not into arrays of parameters or of arrays
/** A part of a model: its properties are its parameters and subcells. */
class Cell {
  training = true;

  /** Every parameter of this cell and of all below, once, by its path. */
  parametersAndNames(): [path: string, parameter: Variable][] {
    const found = new Map<Variable, string>();
    const seen = new Set<object>();
    const walk = (owner: object, prefix: string): void => {
      if (seen.has(owner)) return;
      seen.add(owner);
      const parts = Object.entries(owner);
      for (const [name, part] of parts) if (part instanceof Variable && !found.has(part)) found.set(part, prefix + name);
      for (const [name, part] of parts) {
        if (part instanceof Cell) walk(part, `${prefix}${name}.`);
        if (Array.isArray(part)) for (const [i, item] of part.entries()) if (item instanceof Cell) walk(item, `${prefix}${name}.${i}.`);
      }
    };
    walk(this, "");
    return [...found].map(([parameter, path]) => [path, parameter]);
  }

  /** This cell, and every cell below, once, by its path. */
  cellsAndNames(): [path: string, cell: Cell][] {
    const found = new Map<object, string>();
    const visit = (owner: object, path: string): void => {
      if (found.has(owner)) return;
      found.set(owner, path);
      for (const [name, part] of Object.entries(owner))
        if (part instanceof Cell || Array.isArray(part)) visit(part, path === "" ? name : `${path}.${name}`);
    };
    visit(this, "");
    return [...found].flatMap(([owner, path]): [string, Cell][] => (owner instanceof Cell ? [[path, owner]] : []));
  }

  /** Switches this cell and all below to training or to evaluation. */
  setTrain(on = true): this {
    for (const [, cell] of this.cellsAndNames()) cell.training = on;
    return this;
  }

  /** Assigns all values or none. @throws Error naming what is missing, unknown or misshapen */
  loadParameters(values: ReadonlyMap<string, Tensor>): void {
    const own = new Map(this.parametersAndNames());
    const problems = [
      ...[...own.keys()].filter((path) => !values.has(path)).map((path) => `${path} is missing`),
      ...[...values.keys()].filter((path) => !own.has(path)).map((path) => `${path} is unknown`),
      ...[...own]
        .filter(([path, parameter]) => values.has(path) && values.get(path)!.shape.join() !== parameter.shape.join())
        .map(([path, parameter]) => `${path} has the shape (${parameter.shape}), its value (${values.get(path)!.shape})`),
    ];
    if (problems.length > 0) throw new Error(`loadParameters: ${problems.join("; ")}`);
    for (const [path, parameter] of own) parameter.assign(values.get(path)!);
  }
}
