// expect: wrong 4/7
// fails: a quarter of the reads | still a quarter, for several workgroups
// why: reads an element of B for each of its four products
/** The shader's main function. */
function threadTile(): string {
  return `
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * 4u;
  let column = id.x * 4u;
  var sums: array<array<f32, 4>, 4>;
  for (var k = 0u; k < size.k; k++) {
    var left: array<f32, 4>;
    var right: array<f32, 4>;
    for (var i = 0u; i < 4u; i++) {
      if (row + i < size.m && column < size.n) { left[i] = readA(row + i, k); }
      if (column + i < size.n && row < size.m) { right[i] = readB(k, column + i); }
    }
    for (var i = 0u; i < 4u; i++) {
      for (var j = 0u; j < 4u; j++) { if (column + j < size.n && row + i < size.m) { sums[i][j] += left[i] * readB(k, column + j); } }
    }
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (row + i >= size.m || column + j >= size.n) { continue; }
      var result = size.alpha * sums[i][j];
      if (size.beta != 0.0) { result += size.beta * readC(row + i, column + j); }
      write(row + i, column + j, result);
    }
  }
}`;
}
