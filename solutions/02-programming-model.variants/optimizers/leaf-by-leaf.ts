// expect: correct
// why: flattens the trees; states are lists of tensors, the step number is one of them
type Rule = (p: Tensor, g: Tensor, slots: Tensor[], t: Tensor) => [moved: Tensor, slots: Tensor[]];

/** An optimizer from a rule for one tensor with `count` slots. */
function byLeaf(count: number, rule: Rule): OptimizerFunctions {
  return {
    init: (params) => [mlsys.zeros([]), ...tree.leaves(params).map((p) => Array.from({ length: count }, () => mlsys.zerosLike(p)))],
    update(params, gradients, state) {
      const [before, ...slots] = state as [Tensor, ...Tensor[][]];
      const t = before.add(1);
      const { leaves, def } = tree.flatten(params);
      const given = tree.leaves(gradients);
      const results = leaves.map((p, i) => rule(p, given[i], slots[i], t));
      return { params: tree.unflatten(def, results.map(([p]) => p)) as Tree, state: [t, ...results.map(([, next]) => next)] };
    },
  };
}

function momentum({ lr, mu = 0.9 }: OptimizerOptions): OptimizerFunctions {
  return byLeaf(1, (p, g, [v]) => {
    const next = g.add(v.mul(mu));
    return [p.add(next.mul(-lr)), [next]];
  });
}

function adaGrad({ lr, epsilon = 1e-10 }: { lr: number; epsilon?: number }): OptimizerFunctions {
  return byLeaf(1, (p, g, [s]) => {
    const next = g.mul(g).add(s);
    return [p.sub(g.div(next.sqrt().add(epsilon)).mul(lr)), [next]];
  });
}

function adadelta({ lr = 1, rho = 0.9, epsilon = 1e-6 }: { lr?: number; rho?: number; epsilon?: number } = {}): OptimizerFunctions {
  return byLeaf(2, (p, g, [s, d]) => {
    const square = s.add(g.mul(g).sub(s).mul(1 - rho));
    const step = d.add(epsilon).div(square.add(epsilon)).sqrt().mul(g);
    return [p.sub(step.mul(lr)), [square, d.add(step.mul(step).sub(d).mul(1 - rho))]];
  });
}

function adam({ lr, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: { lr: number; beta1?: number; beta2?: number; epsilon?: number }): OptimizerFunctions {
  return byLeaf(2, (p, g, [m, s], t) => {
    const steps = t.item();
    const mean = m.add(g.sub(m).mul(1 - beta1));
    const square = s.add(g.mul(g).sub(s).mul(1 - beta2));
    const root = square.sqrt().div(Math.sqrt(1 - beta2 ** steps)).add(epsilon);
    return [p.sub(mean.div(root).mul(lr / (1 - beta1 ** steps))), [mean, square]];
  });
}
