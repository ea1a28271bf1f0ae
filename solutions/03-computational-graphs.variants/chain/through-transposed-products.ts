// expect: correct
// why: uses (AB)ᵀ = BᵀAᵀ throughout
interface LayerGradients {
  loss: number;
  dW: Tensor;
  dW1: Tensor;
  dX: Tensor;
}

function backward(X: Tensor, W: Tensor, W1: Tensor, L: Tensor): LayerGradients {
  const hidden = X.matmul(W);
  const errorT = transpose(hidden.matmul(W1).sub(L));
  const hiddenErrorT = W1.matmul(errorT);
  const loss = errorT.mul(errorT).sum().mul(0.5).item();
  return {
    loss,
    dW: transpose(hiddenErrorT.matmul(X)),
    dW1: transpose(errorT.matmul(hidden)),
    dX: transpose(W.matmul(hiddenErrorT)),
  };
}
