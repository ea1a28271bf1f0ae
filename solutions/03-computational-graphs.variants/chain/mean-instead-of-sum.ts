// expect: wrong 0/5
// why: averages over the batch
interface LayerGradients {
  loss: number;
  dW: Tensor;
  dW1: Tensor;
  dX: Tensor;
}

/** X: (n, i), W: (i, h), W1: (h, o), L: (n, o). */
function backward(X: Tensor, W: Tensor, W1: Tensor, L: Tensor): LayerGradients {
  const X1 = matmul(X, W);
  const difference = matmul(X1, W1).sub(L).div(X.shape[0]);
  const dX1 = matmul(difference, transpose(W1));
  return {
    loss: difference.mul(difference).sum().item() / 2 / X.shape[0],
    dW: matmul(transpose(X), dX1),
    dW1: matmul(transpose(X1), difference),
    dX: matmul(dX1, transpose(W)),
  };
}
