import { describe, expect, it } from "vitest";
import { eye, grad, heapStats, random, type Tensor, tensor, zeros } from "../index.js";
import { cond, define, graphFromJson, graphToJson, Session } from "./index.js";

const draw = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);

/** The book's example: a model with a branch, over 5 × 5 matrices. */
const branching = () =>
  define(({ placeholder, output }) => {
    const x = placeholder("x", [5, 5]);
    const flag = placeholder("flag", [], "bool");
    const w = draw(1, 5, 5);
    output(
      "y",
      cond(
        flag,
        (a: Tensor) => a.matmul(w).relu(),
        (a: Tensor) => a.sub(1),
        x,
      ),
    );
    output("unused", placeholder("other", [2]).mul(2));
  });

describe("define and Session", () => {
  it("keep both branches, and take the one that is fed", () => {
    const defined = branching();
    expect(defined.toString()).toMatch(/onTrue: graph/);
    expect(defined.toString()).toMatch(/onFalse: graph/);
    const session = new Session(defined);
    const x = draw(2, 5, 5);
    expect(session.run(["y"], { x, flag: true }).y.toArray()).toEqual(
      x
        .matmul(draw(1, 5, 5))
        .relu()
        .toArray(),
    );
    expect(session.run(["y"], { x, flag: false }).y.toArray()).toEqual(x.sub(1).toArray());
  });

  it("run only what is fetched", () => {
    const session = new Session(branching());
    expect(session.run(["unused"], { other: [1, 2] }).unused.toArray()).toEqual([2, 4]);
    expect(() => session.run(["y"], { x: eye(5) })).toThrow(
      /placeholder "flag", bool\(\), is needed but not fed/,
    );
  });

  it("train by gradients and updates, as eager execution does", () => {
    const [x, y] = [draw(3, 20, 3), draw(4, 20, 1)];
    const defined = define(({ placeholder, variable, output, update, gradients }) => {
      const inputs = placeholder("x", [20, 3]);
      const targets = placeholder("y", [20, 1]);
      const w = variable("w", () => zeros([3, 1]), { shape: [3, 1] });
      const b = variable("b", [0.5]);
      const loss = inputs.matmul(w).add(b).sub(targets).square().mean();
      output("loss", loss);
      const [gw, gb] = gradients(loss, [w, b]);
      update("train", [
        [w, w.sub(gw.mul(0.1))],
        [b, b.sub(gb.mul(0.1))],
      ]);
    });
    const session = new Session(defined);
    expect(() => session.run(["loss"], { x, y })).toThrow(/"w" has no value yet; call initialize\(\)/);
    session.initialize();
    let [w, b]: Tensor[] = [zeros([3, 1]), tensor([0.5])];
    const lossOf = (p: Tensor[]) => x.matmul(p[0]).add(p[1]).sub(y).square().mean();
    for (let i = 0; i < 10; i++) {
      expect(session.run(["loss", "train"], { x, y }).loss.item()).toBeCloseTo(lossOf([w, b]).item(), 5);
      const [gw, gb] = grad(lossOf)([w, b]);
      [w, b] = [w.sub(gw.mul(0.1)), b.sub(gb.mul(0.1))];
    }
    w.toTypedArray().forEach((value, i) => {
      expect(Number(session.value("w").toTypedArray()[i])).toBeCloseTo(Number(value), 5);
    });
    const before = heapStats().liveStorages;
    for (let i = 0; i < 20; i++) session.run(["train"], { x, y });
    expect(heapStats().liveStorages).toBe(before);
  });

  it("graphs can be written to JSON and read where there is no program", () => {
    const { graph } = branching();
    const read = graphFromJson(JSON.parse(JSON.stringify(graphToJson(graph))));
    expect(read.toString()).toBe(graph.toString());
  });

  it("name what is wrong", () => {
    const session = new Session(branching());
    expect(() => session.run(["z"], {})).toThrow(
      /"z" cannot be fetched; outputs are y, unused, there are no updates/,
    );
    expect(() => session.run(["y"], { z: 1 })).toThrow(/no placeholder "z"; placeholders are x, flag, other/);
    expect(() => session.run(["y"], { x: eye(4), flag: true })).toThrow(
      /float32\(4, 4\), float32\(5, 5\) was expected/,
    );
    expect(() => session.value("w")).toThrow(/no variable "w"; there are no variables/);
    expect(() => define(({ placeholder }) => void [placeholder("x", []), placeholder("x", [])])).toThrow(
      /"x" is used twice/,
    );
    expect(() => define(({ variable }) => void variable("w", () => zeros([1])))).toThrow(/give its shape/);
    expect(() =>
      define(({ placeholder, update }) => update("u", [[placeholder("x", []), placeholder("y", [])]])),
    ).toThrow(/is no variable of this graph/);
    const wrong = new Session(define(({ variable }) => void variable("w", () => zeros([2]), { shape: [3] })));
    expect(() => wrong.initialize()).toThrow(/"w" is float32\(3,\), its first value float32\(2,\)/);
  });
});
