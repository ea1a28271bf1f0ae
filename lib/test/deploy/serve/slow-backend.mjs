// A backend for tests: twice its input, when the switch in shared memory is on. `options.gate`: an Int32Array over a
// SharedArrayBuffer: [open, entered, runs]. Without one it never waits. `options.fail`, `options.exit`: what a run does.
const spec = (name, rows) => ({ name, datatype: "FP32", shape: [rows, 3] });

export function load({ options }) {
  const { gate, fail, exit, refuse, factor = 2, rows = -1 } = options ?? {};
  if (refuse) throw new Error(refuse);
  let ready = false; // warm-up does not wait
  setImmediate(() => {
    ready = true;
  });
  return {
    platform: "test_gate",
    inputs: [spec("x", rows)],
    outputs: [spec("y", rows)],
    run: ([x]) => {
      if (ready && gate) {
        Atomics.add(gate, 2, 1);
        Atomics.add(gate, 1, 1);
        Atomics.notify(gate, 1);
        Atomics.wait(gate, 0, 0);
      }
      if (ready && fail) throw new Error(fail);
      if (ready && exit) process.exit(exit);
      const from = new Float32Array(x.data.slice().buffer);
      return [{ ...x, name: "y", data: new Uint8Array(from.map((value) => factor * value).buffer) }];
    },
  };
}
