/** A node's attributes, each read by its type; a default stands where one is missing. */
import type { Tensor } from "../../../core/tensor.js";
import type { DenseTensor } from "../../../runtime/dense.js";
import {
  ATTRIBUTE,
  type AttributeProto,
  type GraphProto,
  numberOf,
  OnnxError,
  quoted,
  type TensorProto,
  textOf,
} from "../schema.js";

type Kind = keyof typeof ATTRIBUTE;

export class Attributes {
  private readonly byName: ReadonlyMap<string, AttributeProto>;

  constructor(
    protos: readonly AttributeProto[],
    /** Attributes are kept in one form: tensors made once. */
    private readonly toTensor: (proto: TensorProto) => DenseTensor,
  ) {
    this.byName = new Map(protos.map((proto) => [proto.name ?? "", proto]));
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  int(name: string, otherwise?: number): number {
    const found = this.find(name, "int", otherwise !== undefined);
    return found ? numberOf(found.i) : (otherwise as number);
  }

  float(name: string, otherwise?: number): number {
    const found = this.find(name, "float", otherwise !== undefined);
    return found ? (found.f ?? 0) : (otherwise as number);
  }

  string(name: string, otherwise?: string): string {
    const found = this.find(name, "string", otherwise !== undefined);
    return found ? textOf(found.s) : (otherwise as string);
  }

  ints(name: string): number[] | null {
    return this.find(name, "ints", true)?.ints?.map(numberOf) ?? null;
  }

  floats(name: string): number[] | null {
    return this.find(name, "floats", true)?.floats ?? null;
  }

  strings(name: string): string[] | null {
    return this.find(name, "strings", true)?.strings?.map(textOf) ?? null;
  }

  tensor(name: string): Tensor | null {
    const found = this.find(name, "tensor", true);
    return found?.t ? this.toTensor(found.t) : null;
  }

  /** @throws OnnxError if there is no such graph. */
  graph(name: string): GraphProto {
    const found = this.find(name, "graph", false);
    if (!found?.g) throw new OnnxError(`attribute ${quoted(name)} holds no graph`);
    return found.g;
  }

  private find(name: string, kind: Kind, optional: boolean): AttributeProto | null {
    const found = this.byName.get(name);
    if (!found) {
      if (optional) return null;
      throw new OnnxError(`attribute ${quoted(name)} is missing`);
    }
    if (found.type !== undefined && found.type !== 0 && found.type !== ATTRIBUTE[kind])
      throw new OnnxError(
        `attribute ${quoted(name)} is of type ${typeName(found.type)}, ${kind} was expected`,
      );
    return found;
  }
}

const typeName = (code: number): string =>
  Object.entries(ATTRIBUTE).find(([, known]) => known === code)?.[0] ?? String(code);
