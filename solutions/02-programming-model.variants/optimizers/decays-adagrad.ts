// expect: wrong 6/7
// fails: adaGrad on a tree
// why: writes RMSProp where adaGrad is asked for
/** Gradient descent with a velocity. */
function momentum({ lr, mu = 0.9 }: OptimizerOptions): OptimizerFunctions {
  return {
    init: (params) => tree.map(mlsys.zerosLike, params),
    update(params, gradients, state) {
      const velocity = tree.map((v, g) => v.mul(mu).add(g), state, gradients);
      return { params: tree.map((p, v) => p.sub(v.mul(lr)), params, velocity), state: velocity };
    },
  };
}

/** Divides by the root of the sum of all squares so far. */
function adaGrad({ lr, epsilon = 1e-10 }: OptimizerOptions): OptimizerFunctions {
  return {
    init: (params) => tree.map(mlsys.zerosLike, params),
    update(params, gradients, state) {
      const sum = tree.map((s, g) => s.mul(0.9).add(g.square().mul(0.1)), state, gradients);
      return { params: tree.map((p, g, s) => p.sub(g.mul(lr).div(s.sqrt().add(epsilon))), params, gradients, sum), state: sum };
    },
  };
}

/** Takes the size of its own past steps as the unit. */
function adadelta({
  lr = 1,
  rho = 0.9,
  epsilon = 1e-6,
}: Partial<OptimizerOptions> = {}): OptimizerFunctions {
  const averaged = (old: Tensor, now: Tensor) => old.mul(rho).add(now.square().mul(1 - rho));
  return {
    init: (params) => ({ square: tree.map(mlsys.zerosLike, params), step: tree.map(mlsys.zerosLike, params) }),
    update(params, gradients, state) {
      const before = state as { square: Tree; step: Tree };
      const square = tree.map(averaged, before.square, gradients);
      const steps = tree.map((g, s, d) => g.mul(d.add(epsilon).sqrt()).div(s.add(epsilon).sqrt()), gradients, square, before.step);
      return { params: tree.map((p, step) => p.sub(step.mul(lr)), params, steps), state: { square, step: tree.map(averaged, before.step, steps) } };
    },
  };
}

/** Decaying means of g and g², corrected for their start at 0. */
function adam({
  lr,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
}: OptimizerOptions): OptimizerFunctions {
  interface Moments {
    t: number;
    mean: Tree;
    square: Tree;
  }
  return {
    init: (params): Moments => ({ t: 0, mean: tree.map(mlsys.zerosLike, params), square: tree.map(mlsys.zerosLike, params) }),
    update(params, gradients, state) {
      const before = state as Moments;
      const t = before.t + 1;
      const mean = tree.map((m, g) => m.mul(beta1).add(g.mul(1 - beta1)), before.mean, gradients);
      const square = tree.map((s, g) => s.mul(beta2).add(g.square().mul(1 - beta2)), before.square, gradients);
      const moved = (p: Tensor, m: Tensor, s: Tensor) => {
        const root = s.div(1 - beta2 ** t).sqrt();
        return p.sub(m.mul(lr / (1 - beta1 ** t)).div(root.add(epsilon)));
      };
      return { params: tree.map(moved, params, mean, square), state: { t, mean, square } };
    },
  };
}
