/** Prototypes of a C header, as kinds of arguments: what our tables of signatures are compared with. */
import { readFileSync } from "node:fs";
import type { ArgumentKind } from "../../../src/runtime/cuda/table.js";

/** What a parameter of this C type may be called in a table. */
function kindsOf(type: string): readonly ArgumentKind[] {
  if (/[*[]/.test(type))
    return /\bchar\b/.test(type) && !/\*.*\*/.test(type) ? ["text", "host"] : ["host", "handle"];
  const bare = type.replace(/\bconst\b|\benum\b/g, "").trim();
  if (/^(long long int|long long|unsigned long long|int64_t|uint64_t|cuuint64_t)\b/.test(bare))
    return ["i64"];
  if (/^(unsigned int|cuuint32_t|unsigned)\b/.test(bare)) return ["u32"];
  if (/^unsigned char\b/.test(bare)) return ["u32"]; // widened by every calling convention
  if (/^size_t\b/.test(bare)) return ["size"];
  if (/^float\b/.test(bare)) return ["f32"];
  if (/^(int|CUdevice)\b/.test(bare)) return ["i32"];
  if (/^CUdeviceptr\b/.test(bare)) return ["handle"];
  if (
    /^(CUstream|CUevent|CUmodule|CUfunction|CUcontext|CUgraph|CUgraphExec|cudaStream_t|nvrtcProgram)\b/.test(
      bare,
    )
  )
    return ["handle"];
  if (/^cublasLt(Matmul|Matrix)\w*Attributes?_t\b/.test(bare)) return ["i32"];
  if (/^(cublas|cublasLt|cudnn)\w*(Handle|Desc|Descriptor|Layout|Preference)_t\b/.test(bare))
    return ["handle"];
  return ["i32"]; // an enumeration
}

/**
 * Parameter kinds of each function that the header declares. A name that the header maps to a versioned one stands for
 * the latter, as for its callers.
 */
export function prototypes(header: string): Map<string, readonly (readonly ArgumentKind[])[]> {
  const text = readFileSync(header, "utf8")
    .replace(/\/\*[\s\S]*?\*\//g, " ")
    .replace(/\/\/.*$/gm, " ");
  const renamed = new Map<string, string>();
  for (const [, name, versioned] of text.matchAll(
    /^\s*#\s*define\s+(\w+)\s+(?:__CUDA_API_\w+\()?((?:cu|cublas|cudnn)\w+)\)?\s*$/gm,
  ))
    renamed.set(name, versioned);
  const found = new Map<string, readonly (readonly ArgumentKind[])[]>();
  for (const [, name, list] of text.matchAll(/\b((?:cu|nvrtc|cublas|cudnn)\w+)\s*\(([^()]*)\)\s*;/g)) {
    const parameters = list.trim() === "void" ? [] : list.split(",").filter((p) => p.trim());
    const kinds = parameters.map(kindsOf);
    const real = renamed.get(name) ?? name;
    if (!found.has(real)) found.set(real, kinds);
    else if (!found.has(name)) found.set(name, kinds); // declared once more: the older version that is still exported
  }
  return found;
}
