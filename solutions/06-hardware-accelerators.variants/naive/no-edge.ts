// expect: wrong 3/6
// fails: sizes that no workgroup fits | K = 0: what is left is β C
// why: threads beyond the edge compute too
/** The shader's main function. */
function naive(): string {
  return `
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let column = id.x;
  
  var sum = 0.0;
  for (var k = 0u; k < size.k; k++) {
    sum += readA(row, k) * readB(k, column);
  }
  var result = size.alpha * sum;
  if (size.beta != 0.0) { result += size.beta * readC(row, column); }
  write(row, column, result);
}`;
}
