// Small TF.js models with random weights, an input and TF.js's own output each: layers models that it saved, and graph models
// (nodes of TensorFlow as its converter writes them) that it loaded and ran.
// Made once with @tensorflow/tfjs 4.22.0:  node lib/test/expected/tfjs_models.mjs FOLDER_WITH_TFJS   (writes tfjs.json beside itself; format it then)
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

let seed = 1;
const next = () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return Math.round((seed / 2147483648 - 0.5) * 1000) / 500;
};
const draw = (shape) => Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next);

function layersModels(tf) {
  const l = tf.layers;
  const seq = (...layers) => tf.sequential({ layers });
  const functional = (shape, f) => {
    const x = tf.input({ shape });
    return tf.model({ inputs: x, outputs: f(x) });
  };
  return {
    mlp: [
      seq(
        l.dense({ units: 5, activation: "relu", inputShape: [4] }),
        l.dense({ units: 3, activation: "softmax" }),
      ),
      [[2, 4]],
    ],
    cnn: [
      seq(
        l.conv2d({ filters: 4, kernelSize: 3, padding: "same", activation: "relu", inputShape: [8, 8, 2] }),
        l.batchNormalization(),
        l.maxPooling2d({ poolSize: 2 }),
        l.conv2d({ filters: 3, kernelSize: [3, 2], strides: 2, useBias: false }),
        l.flatten(),
        l.dropout({ rate: 0.5 }),
        l.dense({ units: 3 }),
      ),
      [[2, 8, 8, 2]],
    ],
    mobilenet: [
      functional([9, 9, 3], (x) => {
        let y = l.conv2d({ filters: 4, kernelSize: 3, strides: 2, padding: "same" }).apply(x);
        const skip = y;
        y = l.depthwiseConv2d({ kernelSize: 3, padding: "same", depthMultiplier: 2 }).apply(y);
        y = l.reLU({ maxValue: 6 }).apply(l.batchNormalization().apply(y));
        y = l.conv2d({ filters: 4, kernelSize: 1 }).apply(y);
        y = l.add().apply([y, skip]);
        return l.dense({ units: 2 }).apply(l.globalAveragePooling2d({}).apply(y));
      }),
      [[1, 9, 9, 3]],
    ],
    unet: [
      functional([8, 8, 1], (x) => {
        const a = l.conv2d({ filters: 3, kernelSize: 3, padding: "same", activation: "elu" }).apply(x);
        const b = l
          .separableConv2d({ filters: 4, kernelSize: 3, padding: "same" })
          .apply(l.averagePooling2d({ poolSize: 3, strides: 2, padding: "same" }).apply(a));
        const up = l.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: "same" }).apply(b);
        const big = l.upSampling2d({ size: [2, 2] }).apply(b);
        return l.concatenate().apply([
          a,
          up,
          l
            .cropping2D({
              cropping: [
                [1, 0],
                [0, 1],
              ],
            })
            .apply(
              l
                .zeroPadding2d({
                  padding: [
                    [1, 0],
                    [0, 1],
                  ],
                })
                .apply(big),
            ),
        ]);
      }),
      [[1, 8, 8, 1]],
    ],
    merges: [
      functional([6], (x) => {
        const parts = ["linear", "tanh", "sigmoid"].map((activation) =>
          l.dense({ units: 4, activation }).apply(x),
        );
        return ["average", "multiply", "maximum", "minimum"].map((name) => l[name]().apply(parts));
      }),
      [[3, 6]],
    ],
    "one layer twice": [
      functional([4], (x) => {
        const shared = l.dense({ units: 4, activation: "selu" });
        return shared.apply(shared.apply(x));
      }),
      [[2, 4]],
    ],
    nested: [
      seq(
        l.dense({ units: 4, inputShape: [3] }),
        seq(l.dense({ units: 5, activation: "softplus", inputShape: [4] }), l.leakyReLU({ alpha: 0.2 })),
        l.dense({ units: 2 }),
      ),
      [[2, 3]],
    ],
    lstm: [
      seq(
        l.lstm({ units: 4, returnSequences: true, inputShape: [5, 3] }),
        l.lstm({ units: 3, recurrentActivation: "sigmoid" }),
      ),
      [[2, 5, 3]],
    ],
    gru: [seq(l.gru({ units: 4, inputShape: [5, 3], recurrentActivation: "sigmoid" })), [[2, 5, 3]]],
    rnn: [seq(l.simpleRNN({ units: 4, inputShape: [5, 3], goBackwards: true })), [[2, 5, 3]]],
    bidirectional: [
      seq(
        l.bidirectional({
          layer: l.lstm({ units: 3, returnSequences: true }),
          mergeMode: "concat",
          inputShape: [5, 3],
        }),
        l.bidirectional({ layer: l.gru({ units: 2 }), mergeMode: "sum" }),
      ),
      [[2, 5, 3]],
    ],
    text: [
      seq(
        l.embedding({ inputDim: 11, outputDim: 4, inputLength: 6 }),
        l.conv1d({ filters: 3, kernelSize: 3, padding: "same", dilationRate: 2 }),
        l.layerNormalization({}),
        l.maxPooling1d({ poolSize: 2 }),
        l.globalMaxPooling1d({}),
      ),
      [[2, 6]],
      (v) => Math.floor(Math.abs(v) * 5),
    ],
    shapes: [
      seq(
        l.reshape({ targetShape: [3, 4], inputShape: [12] }),
        l.permute({ dims: [2, 1] }),
        l.flatten(),
        l.repeatVector({ n: 2 }),
        l.prelu({}),
      ),
      [[2, 12]],
    ],
  };
}

const bytesOf = (values) => Buffer.from(Float32Array.from(values).buffer);
const text = (s) => ({ s: Buffer.from(s).toString("base64") });
const ints = (...i) => ({ list: { i: i.map(String) } });
const strings = (...s) => ({ list: { s: s.map((one) => Buffer.from(one).toString("base64")) } });

/** A graph model of such nodes; constants are nodes with values. */
function graphOf(inputs, nodes, constants, outputs) {
  const node = [
    ...Object.entries(inputs).map(([name, shape]) => ({
      name,
      op: "Placeholder",
      attr: {
        dtype: { type: "DT_FLOAT" },
        shape: { shape: { dim: shape.map((size) => ({ size: String(size) })) } },
      },
    })),
    ...Object.entries(constants).map(([name, { dtype = "float32" }]) => ({
      name,
      op: "Const",
      attr: { dtype: { type: dtype === "float32" ? "DT_FLOAT" : "DT_INT32" } },
    })),
    ...nodes.map(([name, op, input, attr = {}]) => ({
      name,
      op,
      input,
      attr: { T: { type: "DT_FLOAT" }, ...attr },
    })),
  ];
  const weights = Object.entries(constants).map(([name, { shape, dtype = "float32" }]) => ({
    name,
    shape,
    dtype,
  }));
  const data = Buffer.concat(
    Object.values(constants).map(({ values, dtype }) =>
      dtype === "int32" ? Buffer.from(Int32Array.from(values).buffer) : bytesOf(values),
    ),
  );
  const signature = {
    inputs: Object.fromEntries(Object.entries(inputs).map(([name]) => [name, { name: `${name}:0` }])),
    outputs: Object.fromEntries(
      outputs.map((name) => [name, { name: name.includes(":") ? name : `${name}:0` }]),
    ),
  };
  return { topology: { node, versions: {} }, weights, data, signature };
}

const weight = (...shape) => ({ shape, values: draw(shape) });
const positive = (...shape) => ({ shape, values: draw(shape).map((v) => Math.abs(v) + 0.5) });
const whole = (...values) => ({ shape: [values.length], values, dtype: "int32" });
const one = (value) => ({ shape: [], values: [value], dtype: "int32" });

function graphModels() {
  return {
    "graph mlp": [
      graphOf(
        { x: [2, 4] },
        [
          [
            "h",
            "_FusedMatMul",
            ["x", "w", "b"],
            { fused_ops: strings("BiasAdd", "Relu"), num_args: { i: "1" } },
          ],
          ["y", "MatMul", ["h", "v"], { transpose_b: { b: true } }],
          ["p", "Softmax", ["y"]],
        ],
        { w: weight(4, 5), b: weight(5), v: weight(3, 5) },
        ["p"],
      ),
      [[2, 4]],
    ],
    "graph cnn": [
      graphOf(
        { x: [1, 8, 8, 2] },
        [
          [
            "a",
            "Conv2D",
            ["x", "w"],
            { dilations: ints(1, 1, 1, 1), strides: ints(1, 2, 2, 1), padding: text("SAME") },
          ],
          [
            "n",
            "FusedBatchNormV3",
            ["a", "g", "o", "m", "v"],
            { epsilon: { f: 0.001 }, data_format: text("NHWC") },
          ],
          ["r", "Relu6", ["n"]],
          [
            "d",
            "DepthwiseConv2dNative",
            ["r", "dw"],
            { dilations: ints(1, 1, 1, 1), strides: ints(1, 1, 1, 1), padding: text("SAME") },
          ],
          [
            "f",
            "_FusedConv2D",
            ["d", "pw", "fb"],
            {
              dilations: ints(1, 1, 1, 1),
              strides: ints(1, 1, 1, 1),
              padding: text("VALID"),
              fused_ops: strings("BiasAdd", "Elu"),
              num_args: { i: "1" },
            },
          ],
          [
            "p",
            "MaxPool",
            ["f"],
            { ksize: ints(1, 2, 2, 1), strides: ints(1, 1, 1, 1), padding: text("SAME") },
          ],
          [
            "q",
            "AvgPool",
            ["p"],
            { ksize: ints(1, 3, 3, 1), strides: ints(1, 2, 2, 1), padding: text("SAME") },
          ],
          ["y", "Mean", ["q", "axes"], { keep_dims: { b: false } }],
        ],
        {
          w: weight(3, 3, 2, 4),
          g: weight(4),
          o: weight(4),
          m: weight(4),
          v: positive(4),
          dw: weight(3, 3, 4, 1),
          pw: weight(1, 1, 4, 3),
          fb: weight(3),
          axes: whole(1, 2),
        },
        ["y"],
      ),
      [[1, 8, 8, 2]],
    ],
    "graph shapes": [
      graphOf(
        { x: [2, 3, 4] },
        [
          ["t", "Transpose", ["x", "perm"], { Tperm: { type: "DT_INT32" } }],
          [
            "s",
            "StridedSlice",
            ["t", "b", "e", "st"],
            { begin_mask: { i: "1" }, end_mask: { i: "1" }, shrink_axis_mask: { i: "4" } },
          ],
          ["c", "ConcatV2", ["s", "s", "one"], { N: { i: "2" } }],
          ["p", "PadV2", ["c", "pads", "seven"]],
          ["k", "Pack", ["p", "p"], { N: { i: "2" }, axis: { i: "1" } }],
          ["g", "GatherV2", ["k", "idx", "zero"]],
          ["r", "Reshape", ["g", "flat"]],
          ["m", "ArgMax", ["r", "one"]],
          ["sp", "Split", ["one", "r"], { num_split: { i: "2" } }],
        ],
        {
          perm: whole(2, 0, 1),
          b: whole(0, 0, 1),
          e: whole(0, 2, 2),
          st: whole(1, 1, 1),
          one: one(1),
          zero: one(0),
          pads: { shape: [2, 2], values: [1, 0, 0, 1], dtype: "int32" },
          seven: { shape: [], values: [7] },
          idx: whole(4, 0, 2),
          flat: whole(3, -1),
        },
        ["r", "m", "sp:1"],
      ),
      [[2, 3, 4]],
    ],
    "graph resize": [
      graphOf(
        { x: [1, 4, 5, 2] },
        [
          [
            "a",
            "ResizeBilinear",
            ["x", "s"],
            { align_corners: { b: false }, half_pixel_centers: { b: true } },
          ],
          ["b", "ResizeNearestNeighbor", ["x", "s"], { align_corners: { b: false } }],
          ["c", "ResizeBilinear", ["x", "s"], { align_corners: { b: true } }],
          [
            "d",
            "Conv2DBackpropInput",
            ["out", "w", "x"],
            { strides: ints(1, 2, 2, 1), padding: text("SAME") },
          ],
        ],
        { s: whole(7, 8), out: whole(1, 8, 10, 3), w: weight(3, 3, 3, 2) },
        ["a", "b", "c", "d"],
      ),
      [[1, 4, 5, 2]],
    ],
    "graph elementwise": [
      graphOf(
        { x: [2, 3], y: [2, 3] },
        [
          ["a", "AddV2", ["x", "y"]],
          ["s", "SquaredDifference", ["x", "y"]],
          ["m", "Maximum", ["a", "s"]],
          ["l", "LeakyRelu", ["m"], { alpha: { f: 0.3 } }],
          ["g", "Greater", ["x", "y"]],
          ["w", "SelectV2", ["g", "l", "s"]],
          ["c", "ClipByValue", ["w", "lo", "hi"]],
          ["e", "Prelu", ["x", "al"]],
        ],
        { lo: { shape: [], values: [-0.5] }, hi: { shape: [], values: [0.9] }, al: weight(3) },
        ["c", "e"],
      ),
      [
        [2, 3],
        [2, 3],
      ],
    ],
  };
}

const plain = (t) => ({
  shape: t.shape,
  dtype: t.dtype,
  values: Array.from(t.dataSync(), (v) => Number(Number(v).toPrecision(8))),
});

/** Every model as its JSON and the bytes of its weights, with inputs and TF.js's outputs. */
export async function tfjsCases(tf) {
  await tf.setBackend("cpu");
  const cases = {};
  const list = (found) => (Array.isArray(found) ? found : [found]);
  for (const [name, [model, shapes, change = (v) => v]] of Object.entries(layersModels(tf))) {
    model.setWeights(
      model.getWeights().map((w, i) =>
        tf.tensor(
          draw(w.shape).map((v) =>
            /variance/.test(model.weights[i].originalName) ? Math.abs(v) + 0.5 : v * 0.5,
          ),
          w.shape,
        ),
      ),
    );
    let saved;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
      }),
    );
    const inputs = shapes.map((shape) => tf.tensor(draw(shape).map(change), shape));
    const outputs = list(model.predict(inputs.length === 1 ? inputs[0] : inputs));
    const json = {
      format: "layers-model",
      modelTopology: saved.modelTopology,
      weightsManifest: [{ paths: ["w.bin"], weights: saved.weightSpecs }],
    };
    cases[name] = {
      json,
      weights: Buffer.from(saved.weightData).toString("base64"),
      inputs: inputs.map(plain),
      outputs: outputs.map(plain),
    };
  }
  for (const [name, [{ topology, weights, data, signature }, shapes]] of Object.entries(graphModels())) {
    const artifacts = {
      modelTopology: topology,
      weightSpecs: weights,
      weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.length),
      format: "graph-model",
      signature,
    };
    const model = await tf.loadGraphModel(tf.io.fromMemory(artifacts));
    const inputs = shapes.map((shape) => tf.tensor(draw(shape), shape));
    const names = Object.keys(signature.inputs);
    const outputs = list(
      model.execute(
        Object.fromEntries(inputs.map((x, i) => [names[i], x])),
        Object.values(signature.outputs).map((o) => o.name),
      ),
    );
    const json = {
      format: "graph-model",
      modelTopology: topology,
      signature,
      weightsManifest: [{ paths: ["w.bin"], weights }],
    };
    cases[name] = {
      json,
      weights: data.toString("base64"),
      inputs: inputs.map(plain),
      outputs: outputs.map(plain),
    };
  }
  return cases;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const tf = createRequire(`${process.argv[2]}/package.json`)("@tensorflow/tfjs");
  writeFileSync(new URL("tfjs.json", import.meta.url), `${JSON.stringify(await tfjsCases(tf))}\n`);
}
