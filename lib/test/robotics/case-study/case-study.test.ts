/** The book's case study in this process; and what it is made of. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { iris } from "../../../src/data/iris.js";
import { saveOnnx } from "../../../src/deploy/onnx/write.js";
import { getDevice, setDevice } from "../../../src/index.js";
import { manualSeed } from "../../../src/ops/random.js";
import * as study from "../../../src/robotics/case-study/index.js";
import { saveSafetensors } from "../../../src/train/safetensors.js";
import { graphSubject } from "../ros/subjects.js";
import { caseStudyCases } from "./cases.js";

// The reference device takes a second for a picture.
const device = getDevice();
beforeAll(() => setDevice("wasm"));
afterAll(() => setDevice(device));

describe("the book's case study", () => {
  caseStudyCases(graphSubject);
});

describe("the fruit network", () => {
  if (process.env.MLSYS_UPDATE)
    it("is trained anew", { timeout: 3_600_000 }, async () => {
      manualSeed(953);
      const network = await study.trainFruitNetwork({ pictures: 120, epochs: 5, progress: false });
      const classes = JSON.stringify(study.FRUIT_KINDS.map(study.fruitClass));
      const file = new URL("../../../assets/fruit.onnx", import.meta.url).pathname;
      await saveOnnx(file, network, ["float32(n, 3, 224, 224)"], { metadata: { classes } });
    });

  it("names pictures that it has not seen", { timeout: 300_000 }, async () => {
    const accuracy = study.fruitAccuracy(await study.loadClassifier(), { pictures: 6, from: 2_000_000 });
    expect(Object.keys(accuracy)).toEqual([...study.FRUIT_KINDS]);
    const mean = Object.values(accuracy).reduce((sum, value) => sum + value, 0) / study.FRUIT_KINDS.length;
    expect(mean).toBeGreaterThanOrEqual(0.97);
  });

  it("draws the same picture from the same seed", () => {
    const [one, same, other] = [7, 7, 8].map((seed) =>
      study.fruitPhoto("lemon", seed, { height: 32, width: 40 }),
    );
    expect(one.shape).toEqual([32, 40, 3]);
    expect(one.data).toEqual(same.data);
    expect(one.data).not.toEqual(other.data);
    expect(() => study.fruitPhoto("kiwi" as never, 1)).toThrow("kiwi is none of apple");
    expect(() => study.fruitPhoto("lemon", 1, { height: 4 })).toThrow("two whole numbers from 8");
  });
});

describe("classifiers from files", () => {
  it("AlexNet has torchvision's weights: their number, and their names and layout", {
    timeout: 300_000,
  }, async () => {
    const network = new study.AlexNet({ classes: 5, hidden: 64 });
    const counts = [...network.stateDict().values()].map(({ size }) => size);
    const expected = (hidden: number, classes: number) =>
      2_469_696 + (9216 + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * classes;
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(expected(64, 5));
    expect(expected(4096, 1000)).toBe(61_100_840); // torchvision's
    const folder = await mkdtemp(join(tmpdir(), "mlsys-alexnet-"));
    try {
      // as torchvision writes them
      const torch = Object.fromEntries(
        [...network.stateDict()].map(([name, value]) => {
          const theirs = name.replace(".layers.", ".");
          if (name.startsWith("features") && name.endsWith("bias")) return [theirs, value.reshape([-1])];
          return [
            theirs,
            name.startsWith("classifier") && name.endsWith("weight") ? value.transpose() : value,
          ];
        }),
      );
      const file = join(folder, "alexnet.safetensors");
      await saveSafetensors(file, torch);
      const { classify } = await study.loadClassifier(file);
      const place = classify(study.fruitPhoto("pineapple", 1));
      expect(place).toBeGreaterThanOrEqual(0);
      expect(place).toBeLessThan(5);
      const [name] = Object.keys(torch);
      await saveSafetensors(file, { [name]: torch[name] });
      await expect(study.loadClassifier(file)).rejects.toThrow('no matrix "classifier.6.weight"');
      await expect(study.loadClassifier(join(folder, "none.onnx"))).rejects.toThrow("ENOENT");
      await writeFile(join(folder, "model.txt"), "");
      await expect(study.loadClassifier(join(folder, "model.txt"))).rejects.toThrow("neither .onnx nor");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("DecisionTree", () => {
  const { x, y, features, classes } = iris();
  const [rows, labels] = [x.toArray() as number[][], y.toArray() as number[]];

  it("fits iris as scikit-learn's does: the same first questions, every flower right", () => {
    const tree = study.DecisionTree.fit(rows, labels);
    expect(rows.map((row) => tree.predict(row))).toEqual(labels);
    // export_text of sklearn.tree.DecisionTreeClassifier(max_depth=2), where it drew the petal's width first
    const shallow = study.DecisionTree.fit(rows, labels, { maxDepth: 2 });
    const names = features.map((name) => `${name} (cm)`);
    expect(shallow.toText(names, classes)).toBe(
      [
        "|--- petal width (cm) <= 0.80",
        "|   |--- class: setosa",
        "|--- petal width (cm) >  0.80",
        "|   |--- petal width (cm) <= 1.75",
        "|   |   |--- class: versicolor",
        "|   |--- petal width (cm) >  1.75",
        "|   |   |--- class: virginica",
      ].join("\n"),
    );
    expect([shallow.depth, shallow.leaves]).toEqual([2, 3]);
    const right = rows.filter((row, i) => shallow.predict(row) === labels[i]).length;
    expect(right).toBe(144);
  });

  it("comes back from JSON; what is no tree is refused with its place", () => {
    const tree = study.DecisionTree.fit(rows, labels);
    const saved = JSON.parse(JSON.stringify(tree));
    const again = study.DecisionTree.fromJSON(saved);
    expect(rows.map((row) => again.predict(row))).toEqual(labels);
    saved.root.left.counts = [1];
    expect(() => study.DecisionTree.fromJSON(saved)).toThrow('root.left: "counts" are 3 whole numbers');
    expect(() => study.DecisionTree.fromJSON(null)).toThrow("no decision tree");
  });

  it("says what is wrong with the data", () => {
    expect(() => study.DecisionTree.fit([], [])).toThrow("0 rows and 0 classes");
    expect(() => study.DecisionTree.fit([[1], [NaN]], [0, 1])).toThrow("row 1 is [NaN]; 1 finite numbers");
    expect(() => study.DecisionTree.fit([[1]], [0.5])).toThrow("the class of row 0 is 0.5");
    expect(() => study.DecisionTree.fit([[1]], [0]).predict([1, 2])).toThrow("1 numbers expected");
  });
});
