// expect: wrong 5/6
// fails: β = 0: C may hold anything
// why: adds 0 · C
/** The shader's main function. */
function naive(): string {
  return `
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let column = id.x;
  if (row >= size.m || column >= size.n) { return; }
  var sum = 0.0;
  for (var k = 0u; k < size.k; k++) {
    sum += readA(row, k) * readB(k, column);
  }
  var result = size.alpha * sum;
  result += size.beta * readC(row, column);
  write(row, column, result);
}`;
}
