// expect: wrong 1/7
// fails: value and gradient, with aux and without | a straight line is learnt | trees, and gradients of several arguments in the order asked for | aux: integers, plain values, values that depend on the parameters | a step is pure: one forward run, one update, nothing changed | functions of functions: a curvature, and twenty rates at once
// why: hands everything to the library
function valueAndGradient<A extends unknown[], T>(f: (...args: A) => T, options: GradientOptions = {}): (...args: A) => [value: T, gradient: unknown] {
  return mlsys.valueAndGrad(f, options);
}

function makeTrainStep<P, S, B, A>(
  forward: (params: P, batch: B) => [loss: Tensor, aux: A],
  optimizer: StepOptimizer<P, S>,
): (params: P, state: S, batch: B) => { params: P; state: S; loss: Tensor; aux: A } {
  return (params, state, batch) => {
    const [[loss, aux], gradients] = valueAndGradient(forward, { hasAux: true })(params, batch);
    return { ...optimizer.update(params, gradients as P, state), loss, aux };
  };
}
