/** The models of expected/tfjs_models.mjs. */
import { type DType, deploy, type Tensor, tensor } from "../../src/index.js";

export interface PlainTensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly values: readonly number[];
}

export interface TfjsCase {
  readonly json: { readonly weightsManifest: unknown[]; readonly modelTopology: unknown };
  /** base64 */
  readonly weights: string;
  readonly inputs: readonly PlainTensor[];
  readonly outputs: readonly PlainTensor[];
}

export const fromPlain = ({ values, shape, dtype }: PlainTensor): Tensor =>
  tensor(Float64Array.from(values), { shape, dtype });

export const modelOf = (one: TfjsCase): deploy.TfjsModel =>
  deploy.readTfjs(one.json, new Uint8Array(Buffer.from(one.weights, "base64")));
