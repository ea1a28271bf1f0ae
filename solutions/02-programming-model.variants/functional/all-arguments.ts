// expect: correct
// why: carries back to all arguments and picks; seeds leaf by leaf
function valueAndGradient<A extends unknown[], T>(f: (...args: A) => T, options: GradientOptions = {}): (...args: A) => [value: T, gradient: unknown] {
  const { argnums = 0, hasAux = false } = options;
  return function differentiated(...args: A) {
    const back = pullback(f, ...args);
    const whole: unknown = back.value;
    if (hasAux && (!Array.isArray(whole) || whole.length !== 2)) throw new TypeError("where is aux? f must return a pair");
    const { leaves, def } = tree.flatten(whole);
    const first = hasAux ? tree.flatten((whole as unknown[])[0]).leaves : leaves;
    if (first.length !== 1 || first[0].shape.some((dim) => dim !== 1)) throw new TypeError(`no scalar loss: ${first.map((leaf) => JSON.stringify(leaf.shape).replaceAll(",", ", "))}`);
    const seeds = leaves.map((leaf, i) => mlsys.full(leaf.shape, i === 0 ? 1 : 0, { dtype: leaf.dtype }));
    const gradients = back.pull(tree.unflatten(def, seeds) as T);
    return [back.value, Array.isArray(argnums) ? argnums.map((n: number) => gradients[n]) : gradients[argnums as number]];
  };
}

function makeTrainStep<P, S, B, A>(
  forward: (params: P, batch: B) => [loss: Tensor, aux: A],
  { update }: StepOptimizer<P, S>,
): (params: P, state: S, batch: B) => { params: P; state: S; loss: Tensor; aux: A } {
  return (before, memory, batch) => {
    const [value, slope] = valueAndGradient((p: P) => forward(p, batch), { hasAux: true })(before);
    const { params, state } = update(before, slope as P, memory);
    return { params, state, loss: value[0], aux: value[1] };
  };
}
