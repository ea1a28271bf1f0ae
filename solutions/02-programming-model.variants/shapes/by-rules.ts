// expect: correct
// why: a table of rules by kind; windows are counted place by place; repairs what the errors name, again and again
type Rule = (layer: never, shape: number[]) => { shape: number[]; parameters?: number };

function along(layer: Extract<Layer, { kernel: number }>, size: number): number {
  const step = layer.stride ?? (layer.kind === "conv" ? 1 : layer.kernel);
  const around = layer.padding ?? 0;
  if (around === "same") return Math.floor((size + step - 1) / step);
  let count = 0;
  for (let left = -around; left + layer.kernel <= size + around; left += step) count++;
  if (count === 0) throw new RangeError(`${layer.name} has windows of ${layer.kernel} on ${size} with ${around} around`);
  return count;
}

function ranked(layer: Layer, shape: number[], rank: number, advice: string): void {
  if (shape.length !== rank) throw new TypeError(`${layer.name} can't work on ${JSON.stringify(shape)}: ${advice}`);
}

class Mismatch extends Error {
  constructor(
    layer: { name: string; in: number },
    readonly right: number,
  ) {
    super(`${layer.name}.in is ${layer.in}; ${right} is right`);
  }
}

const rules: Record<Layer["kind"], Rule> = {
  relu: (_layer, shape) => ({ shape }),
  flatten: (_layer, shape) => ({ shape: [shape.reduce((product, dim) => product * dim)] }),
  pool: (layer: Extract<Layer, { kind: "pool" }>, shape) => {
    ranked(layer, shape, 3, "pool before you flatten");
    return { shape: [shape[0], along(layer, shape[1]), along(layer, shape[2])] };
  },
  conv: (layer: Extract<Layer, { kind: "conv" }>, shape) => {
    ranked(layer, shape, 3, "convolve before you flatten");
    if (layer.in !== shape[0]) throw new Mismatch(layer, shape[0]);
    const weights = layer.in * layer.out * layer.kernel * layer.kernel;
    return { shape: [layer.out, along(layer, shape[1]), along(layer, shape[2])], parameters: weights + layer.out };
  },
  dense: (layer: Extract<Layer, { kind: "dense" }>, shape) => {
    ranked(layer, shape, 1, "flatten first");
    if (layer.in !== shape[0]) throw new Mismatch(layer, shape[0]);
    return { shape: [layer.out], parameters: layer.in * layer.out + layer.out };
  },
};

function inferShapes(input: readonly number[], layers: readonly Layer[]): Row[] {
  const rows: Row[] = [];
  for (const layer of layers) {
    const { shape, parameters = 0 } = rules[layer.kind](layer as never, rows.at(-1)?.shape ?? [...input]);
    rows.push({ name: layer.name, shape, parameters });
  }
  return rows;
}

function repaired(input: readonly number[], layers: readonly Layer[]): Layer[] {
  const copy = structuredClone(layers) as Layer[];
  for (;;) {
    try {
      inferShapes(input, copy);
      return copy;
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      const broken = copy.find((layer): layer is Extract<Layer, { in: number }> => "in" in layer && error.message.startsWith(`${layer.name}.in`))!;
      broken.in = error.right;
    }
  }
}
