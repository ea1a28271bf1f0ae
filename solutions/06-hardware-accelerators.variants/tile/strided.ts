// expect: correct
// why: a thread's elements are eight apart
/** The shader's main function. */
function threadTile(): string {
  return `
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = (id.y / 8u) * 32u + id.y % 8u;
  let column = (id.x / 8u) * 32u + id.x % 8u;
  var sums: array<array<f32, 4>, 4>;
  for (var k = 0u; k < size.k; k++) {
    var left: array<f32, 4>;
    var right: array<f32, 4>;
    for (var i = 0u; i < 4u; i++) {
      if (row + i * 8u < size.m && column < size.n) { left[i] = readA(row + i * 8u, k); }
      if (column + i * 8u < size.n && row < size.m) { right[i] = readB(k, column + i * 8u); }
    }
    for (var i = 0u; i < 4u; i++) {
      for (var j = 0u; j < 4u; j++) { sums[i][j] += left[i] * right[j]; }
    }
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (row + i * 8u >= size.m || column + j * 8u >= size.n) { continue; }
      var result = size.alpha * sums[i][j];
      if (size.beta != 0.0) { result += size.beta * readC(row + i * 8u, column + j * 8u); }
      write(row + i * 8u, column + j * 8u, result);
    }
  }
}`;
}
