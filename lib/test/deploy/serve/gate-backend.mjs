// A backend for tests: `factor` times its input. `gate`: an Int32Array over shared memory, [open, runs that began]; runs wait
// while it is shut. `fail`, `exit`: what a run does instead; `refuse`: what loading does. Runs for warm-up do none of it:
// their elements are fractions, those of the tests' requests whole numbers.
const spec = (name, rows) => ({ name, datatype: "FP32", shape: [rows, 3] });

export function load({ options }) {
  const { gate, fail, exit, refuse, mix, factor = 2, rows = -1 } = options ?? {};
  if (refuse) throw new Error(refuse);
  return {
    platform: "test_gate",
    inputs: [spec("x", rows)],
    outputs: [spec("y", rows)],
    run: ([x]) => {
      const from = new Float32Array(new Uint8Array(x.data).buffer);
      if (from.every(Number.isInteger)) {
        if (gate) {
          Atomics.add(gate, 1, 1);
          Atomics.wait(gate, 0, 0);
        }
        if (fail) throw new Error(fail);
        if (exit) process.exit(exit);
      }
      const sum = mix ? from.reduce((total, value) => total + value, 0) : 0;
      return [{ ...x, name: "y", data: new Uint8Array(from.map((value) => factor * value + sum).buffer) }];
    },
  };
}
