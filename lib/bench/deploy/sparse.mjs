// Sparse products beside the dense kernels of the same device, one thread: at which share of zeros do they become faster?
// The two meet again and again in turn, and the least time of each counts: what interrupts the machine only adds.

const SHARES = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/** Least milliseconds of each function. */
function least({ tidy }, functions, runs) {
  const best = functions.map(() => Number.POSITIVE_INFINITY);
  for (let i = -5; i < runs; i++)
    for (const [k, f] of functions.entries()) {
      const start = performance.now();
      tidy(() => {
        f().host();
        return null;
      });
      if (i >= 0) best[k] = Math.min(best[k], performance.now() - start);
    }
  return best;
}

function dense({ nn, deploy: { prune }, Generator }, inputs, outputs, batch, share) {
  const draw = new Generator(1);
  const make = () => new nn.Dense(inputs, outputs).freeze();
  const [single, block] = [make(), make()];
  prune.l1Unstructured(single, "weight", share);
  prune.blocks(block, "weight", share);
  for (const layer of [single, block]) prune.remove(layer, "weight");
  const layers = {
    dense: single,
    csr: new prune.SparseDense(single, "csr"),
    blocks: new prune.SparseDense(block, "blocks"),
  };
  return { x: draw.normal([batch, inputs]), layers };
}

function conv({ nn, deploy: { prune }, Generator }, channels, size, kernel, share) {
  const layer = new nn.Conv2d(channels, channels, kernel, { padding: (kernel - 1) / 2 }).freeze();
  prune.l1Unstructured(layer, "weight", share);
  prune.remove(layer, "weight");
  const x = new Generator(1).normal([1, channels, size, size]);
  return { x, layers: { dense: layer, csr: new prune.SparseConv2d(layer) } };
}

/** Rows by layer and share of zeros, and a note on where each format crosses the dense kernel. */
export async function sparseRows(mlsys, quick) {
  const { devices, getDevice, setDevice, getNumThreads, setNumThreads, compiler } = mlsys;
  const cases = [
    ["dense 1 × 1024 × 1024", (s) => dense(mlsys, 1024, 1024, 1, s), 200],
    ["dense 16 × 1024 × 1024", (s) => dense(mlsys, 1024, 1024, 16, s), 100],
    ["dense 128 × 1024 × 1024", (s) => dense(mlsys, 1024, 1024, 128, s), 40],
    ["conv 1 × 1, 256 channels, 28 × 28", (s) => conv(mlsys, 256, 28, 1, s), 60],
    ["conv 3 × 3, 64 channels, 28 × 28", (s) => conv(mlsys, 64, 28, 3, s), 60],
  ];
  const [rows, notes] = [[], []];
  const before = [getDevice(), getNumThreads()];
  setNumThreads(1);
  for (const device of ["wasm", "native"]) {
    if (!devices().some((d) => d.name === device && d.available)) continue;
    setDevice(device);
    for (const [name, make, runs] of cases) {
      const crossed = {};
      for (const share of quick ? [0.5, 0.9] : SHARES) {
        const { x, layers } = make(share);
        const entries = Object.entries(layers);
        const functions = entries.map(
          ([, layer]) =>
            () =>
              layer.forward(x),
        );
        least(mlsys, functions, 1); // asks for the kernels
        if (device === "native") {
          await compiler.nativeKernels().ready;
          await mlsys.deploy.prune.sparseKernelsReady(device);
        }
        const times = least(mlsys, functions, quick ? 10 : runs);
        const ours = Object.fromEntries(entries.map(([key], k) => [key, Number(times[k].toPrecision(3))]));
        for (const key of Object.keys(ours)) if (ours[key] < ours.dense) crossed[key] ??= share;
        const label = `${device}: ${name}, ${Math.round(100 * share)} % zeros`;
        rows.push({ name: label, unit: "ms", better: "lower", ours, peers: {} });
      }
      const faster = Object.keys(rows.at(-1).ours).flatMap((key) => {
        if (key === "dense") return [];
        return [`${key} ${crossed[key] ? `from ${100 * crossed[key]} % zeros on` : "never"}`];
      });
      notes.push(`${device}: ${name}: faster than dense: ${faster.join(", ")} (of the shares measured).`);
    }
  }
  setDevice(before[0]);
  setNumThreads(before[1]);
  return { rows, notes };
}
