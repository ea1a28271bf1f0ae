/** The book's planner: measures of a flower in, what the gardener's robot is to do out. (Book, 14.4's case.) */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ValueError } from "../../core/errors.js";
import { iris } from "../../data/iris.js";
import { replaceFile } from "../../deploy/replace-file.js";
import { cacheFolder } from "../../runtime/native/toolchain.js";
import { srv } from "../ros/interfaces/registry.js";
import { createNode, type NodeOptions } from "../ros/node/create.js";
import type { Node } from "../ros/node/node.js";
import { DecisionTree } from "./decision-tree.js";

/** Species of the iris data set, in its order, and what is to be done with each. */
export const IRIS_ACTIONS: Readonly<Record<string, string>> = Object.freeze({
  setosa: "fertilise",
  versicolor: "idle",
  virginica: "prune",
});

const SPECIES = Object.keys(IRIS_ACTIONS);

/**
 * `iris_action_decider_service`: answers on `iris_action_decider`. A decision tree names the species; the parameters
 * `actions.setosa`, `actions.versicolor` and `actions.virginica` are the mapping table, which may be changed while it runs;
 * `model_path` is where the tree is kept: trained if it is not there.
 * @throws ValueError if the file holds no tree
 * @example
 * const decider = await robotics.caseStudy.irisActionDeciderService({ parameters: { model_path: "iris.json" } });
 * await decider.destroy();
 */
export async function irisActionDeciderService(options?: NodeOptions): Promise<Node> {
  const node = await createNode("iris_action_decider_service", options);
  try {
    const path = String(
      node.declareParameter("model_path", join(cacheFolder("robotics"), "iris-model.json")),
    );
    for (const species of SPECIES) node.declareParameter(`actions.${species}`, IRIS_ACTIONS[species]);
    const tree = await irisClassifier(path, node);
    node.createService(srv("my_interfaces/srv/IrisData"), "iris_action_decider", (request) => {
      const { sepal_length, sepal_width, petal_length, petal_width } = request;
      const species = SPECIES[tree.predict([sepal_length, sepal_width, petal_length, petal_width])];
      const action = String(node.getParameter(`actions.${species}`));
      const measures = Object.entries(request).map(([name, value]) => `${name}: ${value}`);
      node.logger.info(
        ["Incoming request", ...measures, `iris class: ${species}`, `decided action: ${action}`].join("\n"),
      );
      return { action };
    });
    node.logger.info("Iris action decider service is ready.");
    return node;
  } catch (error) {
    await node.destroy();
    throw error;
  }
}

async function irisClassifier(path: string, node: Node): Promise<DecisionTree> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (text !== undefined) return DecisionTree.fromJSON(parsed(text, path));
  node.logger.info(`Cannot find trained model at '${path}', will train a new model.`);
  const { x, y } = iris();
  const tree = DecisionTree.fit(x.toArray() as number[][], y.toArray() as number[]);
  await replaceFile(path, [Buffer.from(`${JSON.stringify(tree)}\n`)]);
  return tree;
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ValueError(`${path} holds no model; delete it to train a new one`, { cause });
  }
}
