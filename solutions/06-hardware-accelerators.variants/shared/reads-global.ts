// expect: wrong 5/8
// fails: a sixteenth of the reads
// why: reads B from global memory all the same
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
  for (var first = 0u; first < size.k; first += 16u) {
    var left = 0.0;
    var right = 0.0;
    if (row < size.m && first + local.x < size.k) { left = readA(row, first + local.x); }
    if (column < size.n && first + local.y < size.k) { right = readB(first + local.y, column); }
    tileA[local.y][local.x] = left;
    tileB[local.y][local.x] = right;
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) { if (column < size.n && first + k < size.k) { sum += tileA[local.y][k] * readB(first + k, column); } }
    workgroupBarrier();
  }
  if (row >= size.m || column >= size.n) { return; }
  var result = size.alpha * sum;
  if (size.beta != 0.0) { result += size.beta * readC(row, column); }
  write(row, column, result);
}`;
}
