// expect: wrong 6/7
// fails: trees, and gradients of several arguments in the order asked for
// why: gives the gradients in the order of the arguments
/** A function that returns the value of `f` and its gradient. */
function valueAndGradient<A extends unknown[], T>(
  f: (...args: A) => T,
  { argnums = 0, hasAux = false }: GradientOptions = {},
): (...args: A) => [value: T, gradient: unknown] {
  const wanted = typeof argnums === "number" ? [argnums] : [...argnums].sort();
  return (...args) => {
    const ofWanted = (...chosen: unknown[]): T => {
      const all: unknown[] = [...args];
      wanted.forEach((n, i) => {
        all[n] = chosen[i];
      });
      return f(...(all as A));
    };
    const { value, pull } = pullback(ofWanted, ...wanted.map((n) => args[n]));
    if (hasAux && !(Array.isArray(value) && value.length === 2)) throw new Error("valueAndGradient: with hasAux, f returns [loss, aux]");
    const [loss, aux] = (hasAux ? value : [value, null]) as [unknown, unknown];
    if (!(loss instanceof mlsys.Tensor) || loss.size !== 1)
      throw new Error(`valueAndGradient: the loss is one number, got ${loss instanceof mlsys.Tensor ? `the shape (${loss.shape.join(", ")})` : String(loss)}`);
    const seed = mlsys.onesLike(loss);
    const gradients = pull((hasAux ? [seed, tree.map(mlsys.zerosLike, aux)] : seed) as T);
    return [value, typeof argnums === "number" ? gradients[0] : gradients];
  };
}

/** One step of training as a pure function. */
function makeTrainStep<P, S, B, A>(
  forward: (params: P, batch: B) => [loss: Tensor, aux: A],
  optimizer: StepOptimizer<P, S>,
): (params: P, state: S, batch: B) => { params: P; state: S; loss: Tensor; aux: A } {
  const gradientOf = valueAndGradient(forward, { hasAux: true });
  return (params, state, batch) => {
    const [[loss, aux], gradients] = gradientOf(params, batch);
    return { ...optimizer.update(params, gradients as P, state), loss, aux };
  };
}
