// expect: wrong 4/7
// fails: sizes that no tile fits | β = 0 and K = 0
// why: reads beyond the edge
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
      left[i] = readA(row + i, k);
      if (column + i < size.n && row < size.m) { right[i] = readB(k, column + i); }
    }
    for (var i = 0u; i < 4u; i++) {
      for (var j = 0u; j < 4u; j++) { sums[i][j] += left[i] * right[j]; }
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
