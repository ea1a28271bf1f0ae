/** TFRecord files and tf.train.Example. */
export { decodeExample, type Example, encodeExample, type Feature, type FeatureInput } from "./example.js";
export {
  encodeTfRecord,
  openTfRecords,
  readTfRecords,
  TfRecordFile,
  type TfRecordOptions,
  writeTfRecords,
} from "./framing.js";
