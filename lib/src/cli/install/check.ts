/** Does an installation work? Asked in a process of its own: what crashes there crashes nothing here. */
import { fileURLToPath } from "node:url";
import { InstallError } from "./errors.js";
import { command } from "./steps.js";

const child = fileURLToPath(new URL("./check-child.js", import.meta.url));
const EXPECTED = [7, 10, 15, 22];

export interface Checked {
  /** Version that the C library says it has. */
  readonly tensorflow: string;
  /** It found a GPU and computes there. */
  readonly gpu: boolean;
}

/** Loads the package in `folder` and multiplies two matrices. @throws InstallError with why it does not work */
export async function check(folder: string, name: string, signal: AbortSignal): Promise<Checked> {
  const output = await command("checking: load, multiply", process.execPath, [child, folder, name], {
    signal,
    explain: explainLoad,
  });
  const { product, tensorflow, gpu } = JSON.parse(output.trim().split("\n").at(-1)!) as Checked & {
    product: number[];
  };
  if (product.join() !== EXPECTED.join())
    throw new InstallError(`${name} loads but multiplies wrongly: [${product}] instead of [${EXPECTED}].`);
  return { tensorflow, gpu };
}

/** Why a shared object did not load, in words. */
export function explainLoad(output: string): string | undefined {
  const symbol = /undefined symbol: (\w+)/.exec(output)?.[1];
  if (symbol)
    return symbol.startsWith("TF")
      ? `the library has no ${symbol}: its version does not go with this tfjs-node. PyPI's 2.12 to 2.21 are known to.`
      : `the library needs ${symbol}, which nothing here has: it is one that only Python can load.`;
  const glibc = /version [`'](GLIBC(?:XX)?_[\d.]+)' not found/.exec(output)?.[1];
  if (glibc)
    return `the library wants ${glibc}, this system is older: take an earlier version (--tensorflow 2.15.0).`;
  const object = /(lib[\w.+-]+): cannot open shared object file/.exec(output)?.[1];
  if (object)
    return /cuda|cudnn|cublas|nvidia/.test(object)
      ? `${object} is missing: the GPU package wants CUDA's libraries.`
      : `${object} is missing.`;
  if (/stopped by SIGILL/.test(output))
    return "this processor lacks instructions that the library was built for.";
  return undefined;
}
