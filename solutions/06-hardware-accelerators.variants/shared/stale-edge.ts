// expect: wrong 5/8
// fails: sizes that no tile fits | β = 0 and K = 0
// why: leaves what was in the tile where the matrix ends
/** Workgroup memory and the shader's main function. */
function sharedTiles(): string {
  return `
var<workgroup> tileA: array<array<f32, 17>, 16>;
var<workgroup> tileB: array<array<f32, 16>, 16>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = id.y;
  let column = id.x;
  var sum = 0.0;
  tileA[local.y][local.x] = 7.0;
  tileB[local.y][local.x] = 7.0;
  workgroupBarrier();
  for (var first = 0u; first < size.k; first += 16u) {
    var left = 0.0;
    var right = 0.0;
    if (row < size.m && first + local.x < size.k) { left = readA(row, first + local.x); }
    if (column < size.n && first + local.y < size.k) { right = readB(first + local.y, column); }
    if (row < size.m && first + local.x < size.k) { tileA[local.y][local.x] = left; }
    if (column < size.n && first + local.y < size.k) { tileB[local.y][local.x] = right; }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) { sum += tileA[local.y][k] * tileB[k][local.x]; }
    workgroupBarrier();
  }
  if (row >= size.m || column >= size.n) { return; }
  var result = size.alpha * sum;
  if (size.beta != 0.0) { result += size.beta * readC(row, column); }
  write(row, column, result);
}`;
}
