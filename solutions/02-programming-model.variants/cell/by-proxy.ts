// expect: correct
// why: intercepts what is defined and deleted; arrays are read when asked
type Pairs<T> = [path: string, part: T][];

class Cell {
  declare training: boolean;

  constructor() {
    const registered = new Map<PropertyKey, unknown>();
    const proxy: this = new Proxy(this, {
      // properties are defined by class fields, and in the end by assignments too
      defineProperty(target, name, descriptor) {
        const { value } = descriptor;
        if (value instanceof Variable || value instanceof Cell || Array.isArray(value)) registered.set(name, value);
        else registered.delete(name);
        return Reflect.defineProperty(target, name, descriptor);
      },
      deleteProperty(target, name) {
        registered.delete(name);
        return Reflect.deleteProperty(target, name);
      },
    });
    books.set(proxy, registered);
    proxy.training = true;
    // biome-ignore lint/correctness/noConstructorReturn: the proxy is the object
    return proxy;
  }

  parametersAndNames(): Pairs<Variable> {
    const pairs: Pairs<Variable> = [];
    for (const [, , parts] of holders(this))
      for (const [path, part] of parts) if (part instanceof Variable && pairs.every(([, known]) => known !== part)) pairs.push([path, part]);
    return pairs;
  }

  cellsAndNames(): Pairs<Cell> {
    const pairs: Pairs<Cell> = [];
    for (const [path, holder] of holders(this)) if (holder instanceof Cell) pairs.push([path, holder]);
    return pairs;
  }

  setTrain(on = true): this {
    for (const [, cell] of this.cellsAndNames()) cell.training = on;
    return this;
  }

  loadParameters(values: ReadonlyMap<string, Tensor>): void {
    const left = new Map(values);
    const bad: string[] = [];
    const todo: (() => void)[] = [];
    for (const [path, parameter] of this.parametersAndNames()) {
      const value = left.get(path);
      left.delete(path);
      if (value && JSON.stringify(value.shape) === JSON.stringify(parameter.shape)) todo.push(() => parameter.assign(value));
      else bad.push(path);
    }
    bad.push(...left.keys());
    if (bad.length > 0) throw new Error(`these do not fit: ${bad.join(", ")}`);
    for (const assign of todo) assign();
  }
}

const books = new WeakMap<object, Map<PropertyKey, unknown>>();

/** Cells and arrays from `top` on, each once, owners before what they hold. */
function* holders(top: Cell): Generator<[path: string, holder: Cell | unknown[], parts: [string, unknown][]]> {
  const seen = new Set<unknown>();
  const stack: [string, Cell | unknown[]][] = [["", top]];
  while (stack.length > 0) {
    const [path, holder] = stack.pop()!;
    if (seen.has(holder)) continue;
    seen.add(holder);
    const own = holder instanceof Cell ? [...books.get(holder)!] : [...holder.entries()];
    const parts = own.map(([name, part]): [string, unknown] => [path === "" ? String(name) : `${path}.${String(name)}`, part]);
    yield [path, holder, parts];
    for (const [name, part] of parts.toReversed()) if (part instanceof Cell || Array.isArray(part)) stack.push([name, part]);
  }
}
