import { describe, expect, it } from "vitest";
import { heapStats, ones, resetPeak, type Tensor, tensor, tidy, toStatic, Variable } from "../index.js";
import { capture, compile } from "./index.js";

describe("results that take the memory of an argument", () => {
  const f = (p: Tensor, g: Tensor): Tensor[] => [g.sum(), p.sub(g.mul(0.5))];
  const graph = capture(f, ones([4]), ones([4]));
  const options = { donate: [[0, 1]] } as const;

  it("are written in place, without more memory", () => {
    const executable = compile(graph, options);
    let p = tensor([1, 2, 3, 4]);
    const { ptr } = p.storage as { ptr: number };
    for (let i = 0; i < 3; i++) {
      const [loss, next] = executable.run([p, ones([4])]);
      loss.dispose();
      p.dispose();
      p = next as typeof p;
    }
    expect((p.storage as { ptr: number }).ptr).toBe(ptr);
    expect(p.toArray()).toEqual([-0.5, 0.5, 1.5, 2.5]);
    const plain = tensor([1, 2, 3, 4]);
    expect(
      compile(graph)
        .run([plain, ones([4])])[1]
        .toArray(),
    ).toEqual([0.5, 1.5, 2.5, 3.5]);
    expect(plain.toArray()).toEqual([1, 2, 3, 4]);
  });

  it("leave alone what somebody else has, and what lies otherwise", () => {
    const executable = compile(graph, options);
    const held = tensor([1, 2, 3, 4]);
    const view = held.reshape([2, 2]);
    expect(executable.run([held, ones([4])])[1].toArray()).toEqual([0.5, 1.5, 2.5, 3.5]);
    expect(view.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const whole = tensor([9, 1, 2, 3, 4]);
    expect(executable.run([whole.slice([1, 5]), ones([4])])[1].toArray()).toEqual([0.5, 1.5, 2.5, 3.5]);
    expect(whole.toArray()).toEqual([9, 1, 2, 3, 4]);
  });

  it("wait for the last reader: an argument that is read later, or is a result too, is kept", () => {
    const p = tensor([1, 2]);
    const later = capture((p: Tensor) => {
      const next = p.mul(2);
      return [next, next.sum(0, true).matmul(p.reshape([1, 2]))];
    }, p);
    const [next, product] = compile(later, { passes: [], donate: [[0, 0]] }).run([p]);
    expect([next.toArray(), product.toArray()]).toEqual([
      [2, 4],
      [6, 12],
    ]);
    const both = capture((p: Tensor) => [p.mul(2), p], p);
    const [, same] = compile(both, { donate: [[0, 0]] }).run([tensor([1, 2])]);
    expect(same.toArray()).toEqual([1, 2]);
  });
});

describe("updates of variables by toStatic", () => {
  const counter = () => {
    const v = new Variable(tensor([1, 2, 3]), { requiresGrad: false });
    const step = toStatic((x: Tensor): Tensor[] => {
      v.assign(v.mul(2).add(x));
      return [];
    });
    return { v, step };
  };

  it("are in place, and take no memory", () => {
    const { v, step } = counter();
    const x = ones([3]);
    for (let i = 0; i < 3; i++) tidy(() => void step(x));
    const [{ ptr }, before] = [v.value.storage, heapStats()];
    resetPeak();
    tidy(() => void step(x));
    expect(v.value.storage.ptr).toBe(ptr);
    expect(heapStats().peakBytes).toBe(before.liveBytes);
    expect(v.toArray()).toEqual([31, 47, 63]);
  });

  it("are seen by nobody who holds the old value: views, other variables, arguments", () => {
    const { v, step } = counter();
    const view = v.value.slice([0, 2]);
    const copy = new Variable(v.value, { requiresGrad: false });
    step(ones([3]));
    expect([view.toArray(), copy.toArray(), v.toArray()]).toEqual([
      [1, 2],
      [1, 2, 3],
      [3, 5, 7],
    ]);
    const twice = toStatic((old: Tensor) => {
      v.assign(v.add(1));
      return old.mul(v);
    });
    expect(twice(v.value).toArray()).toEqual([12, 30, 56]);
  });
});
