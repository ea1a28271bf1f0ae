// expect: wrong 5/7
// fails: aux: integers, plain values, values that depend on the parameters | a step is pure: one forward run, one update, nothing changed
// why: differentiates the loss alone, then runs f once more for the value
/** A function that returns the value of `f` and its gradient. */
function valueAndGradient<A extends unknown[], T>(
  f: (...args: A) => T,
  { argnums = 0, hasAux = false }: GradientOptions = {},
): (...args: A) => [value: T, gradient: unknown] {
  const wanted = typeof argnums === "number" ? [argnums] : argnums;
  return (...args) => {
    const ofWanted = (...chosen: unknown[]): T => {
      const all: unknown[] = [...args];
      wanted.forEach((n, i) => {
        all[n] = chosen[i];
      });
      return f(...(all as A));
    };
    const { pull } = pullback((...chosen: unknown[]) => {
      const result = ofWanted(...chosen) as unknown;
      return hasAux && Array.isArray(result) ? (result[0] as Tensor) : (result as Tensor);
    }, ...wanted.map((n) => args[n]));
    const value = f(...args);
    if (hasAux && !(Array.isArray(value) && value.length === 2)) throw new Error("valueAndGradient: with hasAux, f returns [loss, aux]");
    const loss: unknown = hasAux ? (value as unknown[])[0] : value;
    if (!(loss instanceof mlsys.Tensor) || loss.size !== 1)
      throw new Error(`valueAndGradient: the loss is one number, got ${loss instanceof mlsys.Tensor ? `the shape (${loss.shape.join(", ")})` : String(loss)}`);
    const gradients = pull(mlsys.onesLike(loss));
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
