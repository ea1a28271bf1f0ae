// expect: correct
// why: counts down, and scales each row of A
/** The shader's main function. */
function naive(): string {
  return `
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let column = id.x;
  if (row >= size.m || column >= size.n) { return; }
  var sum = 0.0;
  var k = size.k;
  while (k > 0u) {
    k--;
    sum = fma(size.alpha * readA(row, k), readB(k, column), sum);
  }
  var result = sum;
  if (size.beta != 0.0) { result += size.beta * readC(row, column); }
  write(row, column, result);
}`;
}
