// expect: wrong 0/9
// why: composes the library's operators and registers nothing
function defineSquaredDistance(name: string): (x: Tensor, y: Tensor) => Tensor {
  return (x, y) => {
    if (x.dtype !== y.dtype || x.dtype.startsWith("int")) throw new mlsys.DTypeError(`${name} got ${x.dtype} and ${y.dtype}`);
    return x.expandDims(-2).sub(y.expandDims(-3)).square().sum(-1);
  };
}
