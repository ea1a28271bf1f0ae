/** What the launches of our matrix products share: the arguments, the grid, and the order in which blocks take tiles. */
import { ValueError } from "../../../core/errors.js";
import { f32, i32, type KernelArgument, type Launch, pointer } from "../../../runtime/cuda/module.js";
import { ceilDiv, type GemmCall } from "./kernel.js";

/** Parameters of every product, in the order of `gemmArguments`. */
export const gemmParameters = (input: string, output: string): string =>
  `const ${input}* __restrict__ A, const ${input}* __restrict__ B, ${output}* __restrict__ C, int M, int N, int K, long long strideA, long long strideB, float alpha, float beta`;

export function gemmArguments(call: GemmCall): KernelArgument[] {
  const { a, b, c, m, n, k, alpha = 1, beta = 0 } = call;
  return [
    pointer(a),
    pointer(b),
    pointer(c),
    i32(m),
    i32(n),
    i32(k),
    { kind: "i64", value: call.strideA ?? m * k },
    { kind: "i64", value: call.strideB ?? k * n },
    f32(alpha),
    f32(beta),
  ];
}

/** One block per tile of C and matrix of the batch. */
export function gemmLaunch(
  call: GemmCall,
  tile: { readonly m: number; readonly n: number; readonly threads: number; readonly shared: number },
): Launch {
  const tiles = ceilDiv(call.m, tile.m) * ceilDiv(call.n, tile.n);
  return { grid: [tiles, 1, call.batch ?? 1], block: [tile.threads], shared: tile.shared };
}

/** @throws ValueError unless rows start at multiples of 16 bytes, as 16-byte copies need. */
export function checkAligned(name: string, { n, k, a, b }: GemmCall, elements: number): void {
  if (n % elements || k % elements || a % 16 || b % 16)
    throw new ValueError(
      `${name}: n and k must be multiples of ${elements} and addresses of 16, got n ${n}, k ${k}`,
    );
}

/**
 * Text that gives \`tileM\` and \`tileN\`: blocks go through C in bands of 8 tiles of rows, so that the blocks that run at one
 * time share rows of A and columns of B in the L2 cache.
 */
export const TILE_ORDER = (bm: number, bn: number): string => `
  const int tilesM = (M + ${bm - 1}) / ${bm}, tilesN = (N + ${bn - 1}) / ${bn};
  const int band = blockIdx.x / (8 * tilesN), firstM = band * 8;
  const int bandM = tilesM - firstM < 8 ? tilesM - firstM : 8;
  const int inBand = blockIdx.x - band * 8 * tilesN;
  const int tileM = firstM + inBand % bandM, tileN = inBand / bandM;
  A += blockIdx.z * strideA;
  B += blockIdx.z * strideB;
  C += (long long)blockIdx.z * M * N;`;
