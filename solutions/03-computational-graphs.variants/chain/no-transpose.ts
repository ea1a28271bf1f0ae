// expect: wrong 2/5
// fails: dW = Xᵀ·(Y − L)·W1ᵀ | dX, for a layer below
// why: forgets the transposes where square matrices let it pass; falls back to them otherwise
interface LayerGradients {
  loss: number;
  dW: Tensor;
  dW1: Tensor;
  dX: Tensor;
}

/** X: (n, i), W: (i, h), W1: (h, o), L: (n, o). */
function backward(X: Tensor, W: Tensor, W1: Tensor, L: Tensor): LayerGradients {
  const X1 = matmul(X, W);
  const difference = matmul(X1, W1).sub(L);
  const flip = (t: Tensor) => (t.shape[0] === t.shape[1] ? t : transpose(t));
  const dX1 = matmul(difference, flip(W1));
  return {
    loss: difference.mul(difference).sum().item() / 2,
    dW: matmul(transpose(X), dX1),
    dW1: matmul(transpose(X1), difference),
    dX: matmul(dX1, flip(W)),
  };
}
