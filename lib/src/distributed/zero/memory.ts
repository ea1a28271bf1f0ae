/** Memory of model states under ZeRO, as the paper counts it. (Rajbhandari et al. 2020, section 5; book, chapter 9.) */
import { ValueError } from "../../core/errors.js";

export interface ModelStates {
  /** Ψ. */
  readonly parameters: number;
  /** Default 1. */
  readonly ranks?: number;
  /** What is sharded: 0 nothing, 1 the optimizer's state, 2 gradients too, 3 parameters too. */
  readonly stage: 0 | 1 | 2 | 3;
  /** Bytes of a parameter in the model. Default 2 (16 bits). */
  readonly parameterBytes?: number;
  /** Default as of parameters. */
  readonly gradientBytes?: number;
  /** What the optimizer keeps for a parameter: K. Default 12: Adam's copy of the parameter, mean and square, 32 bits each. */
  readonly optimizerBytes?: number;
}

/**
 * Bytes on each rank: stage 0 (2 + 2 + K)Ψ, 1: (2 + 2)Ψ + KΨ/N, 2: 2Ψ + (2 + K)Ψ/N, 3: (2 + 2 + K)Ψ/N.
 * @example distributed.zeroMemory({ parameters: 7.5e9, ranks: 64, stage: 3 }) // 1875000000
 */
export function zeroMemory({
  parameters,
  ranks = 1,
  stage,
  parameterBytes = 2,
  gradientBytes = parameterBytes,
  optimizerBytes = 12,
}: ModelStates): number {
  if (!(parameters >= 0 && Number.isInteger(ranks) && ranks >= 1))
    throw new ValueError(`zeroMemory: ${parameters} parameters on ${ranks} ranks`);
  const share = (from: number): number => (stage >= from ? 1 / ranks : 1);
  return parameters * (parameterBytes * share(3) + gradientBytes * share(2) + optimizerBytes * share(1));
}
