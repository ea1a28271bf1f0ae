// expect: wrong 5/7
// fails: windows: odd sizes, defaults, both kinds of padding | axes and windows that no number repairs
// why: gives pooling the default stride of a convolution, 1
/** The shapes behind all layers. @throws Error naming the first layer that does not fit */
function inferShapes(input: readonly number[], layers: readonly Layer[]): Row[] {
  let shape = [...input];
  const behindWindow = (size: number, layer: Extract<Layer, { kernel: number }>): number => {
    const { name, kernel, padding = 0, stride = 1 } = layer;
    if (padding === "same") return Math.ceil(size / stride);
    if (kernel > size + 2 * padding) throw new Error(`${name}: a window of ${kernel} does not fit into ${size + 2 * padding}`);
    return Math.floor((size + 2 * padding - kernel) / stride) + 1;
  };
  return layers.map((layer): Row => {
    const { name } = layer;
    const fits = (made: number, what: string) => {
      if (made !== shape[0]) throw new Error(`${name}: is made for ${made} ${what}, gets ${shape[0]}`);
    };
    let parameters = 0;
    if (layer.kind === "conv" || layer.kind === "pool") {
      if (shape.length !== 3) throw new Error(`${name}: wants channels, height and width, gets the shape [${shape.join(", ")}]`);
      const [channels, height, width] = shape;
      if (layer.kind === "conv") {
        fits(layer.in, "channels");
        parameters = layer.out * (layer.in * layer.kernel ** 2 + 1);
      }
      shape = [layer.kind === "conv" ? layer.out : channels, behindWindow(height, layer), behindWindow(width, layer)];
    } else if (layer.kind === "flatten") {
      shape = [shape.reduce((a, b) => a * b, 1)];
    } else if (layer.kind === "dense") {
      if (shape.length !== 1) throw new Error(`${name}: wants one axis, gets the shape [${shape.join(", ")}]: is a flatten missing?`);
      fits(layer.in, "numbers");
      parameters = layer.out * (layer.in + 1);
      shape = [layer.out];
    }
    return { name, shape, parameters };
  });
}

/** A copy with every `in` as it must be. @throws Error for what a number can't repair */
function repaired(input: readonly number[], layers: readonly Layer[]): Layer[] {
  const done: Layer[] = [];
  let shape = [...input];
  for (const layer of layers) {
    const right = "in" in layer ? { ...layer, in: shape[0] } : { ...layer };
    shape = inferShapes(shape, [right])[0].shape;
    done.push(right);
  }
  return done;
}
