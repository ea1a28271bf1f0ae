// expect: wrong 1/6
// fails: 16 × 16 × 16 | as many reads as it says | sizes that no workgroup fits | β = 0: C may hold anything
// why: forgets α
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
  var result = sum;
  if (size.beta != 0.0) { result += size.beta * readC(row, column); }
  write(row, column, result);
}`;
}
