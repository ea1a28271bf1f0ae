/** Steps 7 to 10 of obfuscation: op libraries as files, and their ops at work. */
import { readFileSync } from "node:fs";
import { ValueError } from "../../../core/errors.js";
import { compile } from "../../../graph/execute.js";
import { noKernel } from "../../../ir/call.js";
import { graphFromJson, graphToJson } from "../../../ir/json.js";
import type { OptimizationLevel } from "../../../ir/passes/manager.js";
import { NOT_DIFFERENTIABLE, type OpDef } from "../../../ops/registry.js";
import { loopedBatch } from "../../../ops/rules.js";
import { tidy } from "../../../ops/tidy.js";
import type { DenseTensor } from "../../../runtime/dense.js";
import { ModelFileError } from "../../format/layout.js";
import { bytesSource } from "../../format/source.js";
import { replaceFile } from "../../replace-file.js";
import { encryptedParts, readable } from "../encryption/chunks.js";
import type { KeySource } from "../encryption/keys.js";
import { checkInterface, type Interface, type OpaqueOp, opaqueTypes, runOpaque } from "./interface.js";

const FORMAT = "mlsys-op-library";
const VERSION = 1;

const records = new WeakMap<OpDef, OpaqueOp>();

/** What an opaque op is inside; `null` for other ops. */
export const insideOf = (op: OpDef): OpaqueOp | null => records.get(op) ?? null;

export interface LibraryOptions {
  /** How each op's implementation is compiled. Default "O3". */
  readonly level?: OptimizationLevel;
}

/** The opaque ops of one obfuscated model: without it the model's file means nothing. */
export class OpLibrary {
  private readonly byName = new Map<string, OpDef>();
  private readonly level: OptimizationLevel;

  constructor(ops: readonly OpaqueOp[], { level = "O3" }: LibraryOptions = {}) {
    this.level = level;
    for (const op of ops) this.add(op);
  }

  /** One more op. */
  add(op: OpaqueOp): OpDef {
    const made = definitionOf(op, this.level);
    this.byName.set(op.name, made);
    return made;
  }

  get ops(): readonly OpaqueOp[] {
    return [...this.byName.values()].map((op) => insideOf(op) as OpaqueOp);
  }

  get names(): readonly string[] {
    return [...this.byName.keys()];
  }

  /** @throws ValueError if it has no op of this name. */
  get(name: string): OpDef {
    const found = this.byName.get(name);
    if (!found)
      throw new ValueError(
        `the op library has no op ${JSON.stringify(name.slice(0, 80))}: it is another model's`,
      );
    return found;
  }
}

function definitionOf(op: OpaqueOp, level: OptimizationLevel): OpDef {
  const definition: OpDef = {
    name: op.name,
    kind: "control",
    type: (inputs) => opaqueTypes(op, inputs),
    reference: noKernel(op.name),
    composite: (inputs) =>
      tidy(() =>
        runOpaque(op, inputs as readonly DenseTensor[], (given) => compile(op.core, { level }).run(given)),
      ),
    vjp: NOT_DIFFERENTIABLE,
    jvp: NOT_DIFFERENTIABLE,
    batch: loopedBatch(() => definition),
    samples: [],
  };
  records.set(definition, op);
  return definition;
}

/**
 * Writes an op library to a file. Whoever has it and the model's file can undo the obfuscation: keep them apart, or give a
 * key.
 * @throws EncryptionError for a key that can't be had.
 * @example await deploy.saveLibrary("example.ops", deploy.obfuscate((x: Tensor) => x.mul(2), [tensor([1, 2])], { runs: 0 }).library)
 */
export async function saveLibrary(
  file: string,
  library: OpLibrary,
  { key }: { readonly key?: KeySource } = {},
): Promise<void> {
  const bytes = encodeLibrary(library);
  await replaceFile(file, key === undefined ? [bytes] : encryptedParts([bytes], key));
}

export function encodeLibrary({ ops }: OpLibrary): Uint8Array {
  const document = {
    format: FORMAT,
    version: VERSION,
    ops: ops.map(({ name, core, face }) => ({ name, core: graphToJson(core), face })),
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

/**
 * Reads an op library, for `openModel`.
 * @throws ModelFileError naming the file and what is wrong with it; EncryptionError for a wrong key.
 * @example const made = deploy.obfuscate((x: Tensor) => x.mul(2), [tensor([1, 2])], { runs: 0 }); await deploy.saveLibrary("example.ops", made.library); deploy.openLibrary("example.ops").names.length // 1
 */
export function openLibrary(
  file: string,
  { key, level }: LibraryOptions & { readonly key?: KeySource } = {},
): OpLibrary {
  const source = readable(bytesSource(readFileSync(file)), key, file);
  const bytes = new Uint8Array(source.size);
  source.read(0, bytes);
  source.close();
  return decodeLibrary(bytes, file, { level });
}

/** @throws ModelFileError */
export function decodeLibrary(bytes: Uint8Array, where: string, options: LibraryOptions = {}): OpLibrary {
  const fail = (problem: string, cause?: unknown): never => {
    throw new ModelFileError(`${where}: ${problem}`, { cause });
  };
  const { format, version, ops } = parsedJson(bytes, fail);
  if (format !== FORMAT) fail(`not an op library: a document with "format": "${FORMAT}" was expected`);
  if (version !== VERSION)
    fail(`it has version ${String(version).slice(0, 20)}, this library reads version ${VERSION}`);
  if (!Array.isArray(ops)) return fail("its ops are missing");
  const found = ops.map((entry: Partial<OpaqueOp> | null, i): OpaqueOp => {
    if (typeof entry?.name !== "string") return fail(`op ${i} is damaged: it has no name`);
    try {
      const op = { name: entry.name, core: graphFromJson(entry.core), face: entry.face as Interface };
      checkInterface(op, where);
      return op;
    } catch (error) {
      if (error instanceof ModelFileError) throw error;
      return fail(`op ${i} is damaged: ${(error as Error).message.slice(0, 300)}`, error);
    }
  });
  if (new Set(found.map(({ name }) => name)).size < found.length) fail("two ops have the same name");
  return new OpLibrary(found, options);
}

function parsedJson(
  bytes: Uint8Array,
  fail: (problem: string, cause?: unknown) => never,
): { readonly format?: unknown; readonly version?: unknown; readonly ops?: unknown } {
  try {
    return (JSON.parse(new TextDecoder("utf8", { fatal: true }).decode(bytes)) as object | null) ?? {};
  } catch (error) {
    return fail("not an op library: it is no JSON", error);
  }
}
