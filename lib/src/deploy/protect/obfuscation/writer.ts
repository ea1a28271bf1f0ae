/** The obfuscated graph: uses of op types in order, each with its operands where its type wants them. */
import { sizeOf } from "../../../core/shape.js";
import { GraphBuilder } from "../../../ir/builder.js";
import { type Graph, typeOf, type Value } from "../../../ir/graph.js";
import type { DenseTensor } from "../../../runtime/dense.js";
import { outsideScopes } from "../../../runtime/tidy.js";
import type { Dice } from "../dice.js";
import type { Clustered, Edge } from "./clusters.js";
import { Forms } from "./forms.js";
import { hideWeights, type OpaqueOp, randomInterface } from "./interface.js";
import type { OpLibrary } from "./library.js";
import type { Instance } from "./types.js";
import { fromWords } from "./words.js";

export class Writer {
  private readonly builder = new GraphBuilder("");
  private readonly forms: Forms;
  /** Pieces of each value, and what it is blended with. */
  private readonly pieces = new Map<Edge, readonly Value[]>();
  private readonly pads = new Map<Edge, Value>();
  /** What can be read, and what nobody has read yet. */
  private readonly there: Value[] = [];
  private readonly unread = new Set<Value>();

  constructor(
    private readonly instances: readonly Instance[],
    private readonly ends: Pick<Clustered, "params" | "results">,
    private readonly library: OpLibrary,
    private readonly dice: Dice,
  ) {
    const blendable = ends.params.some(({ type }) => sizeOf(type.shape) > 0);
    this.forms = new Forms(instances, [...ends.params, ...ends.results], blendable, dice);
  }

  graph(): Graph {
    for (const edge of this.ends.params) {
      const value = this.builder.param(typeOf(edge.type));
      this.pieces.set(edge, [value]);
      if (sizeOf(edge.type.shape) > 0) this.there.push(value);
    }
    const last = this.instances[this.instances.length - 1];
    for (const instance of this.instances) this.use(instance, this.opOf(instance, instance === last));
    return this.builder.finish(this.ends.results.map((edge) => this.piecesOf(edge)[0]));
  }

  /** The op of its type, which gets its interface at the first use. */
  private opOf({ type, inputs, outputs }: Instance, last: boolean): OpaqueOp {
    const known = this.library.ops.find(({ name }) => name === type.name);
    if (known) return known;
    const { name, core, results } = type;
    const forms = {
      values: inputs.map((edge) => this.forms.of(edge)),
      results: core.results.map((_, i) =>
        i < results ? this.forms.of(outputs[i]) : this.forms.ofResult(type, i),
      ),
    };
    const some = this.there.length > 0 ? this.dice.below(3) : 0;
    // whatever is left unread at the end would give itself away as a decoy
    const op = { name, core, face: randomInterface(core, forms, last ? this.unread.size : some, this.dice) };
    this.library.add(op);
    return op;
  }

  private use({ inputs, outputs, weights }: Instance, op: OpaqueOp): void {
    const { face } = op;
    const iv = this.dice.bytes(16);
    const hidden = outsideScopes(() =>
      hideWeights(op, weights, iv).map((words) =>
        fromWords(words, { shape: [words.length], dtype: "int32" }),
      ),
    );
    const buffers = hidden.map((words: DenseTensor) => this.builder.constant(words));
    const blends = face.results.map((form) => (form?.blended ? this.anything() : null));
    const operands = face.inputs.map((slot): Value => {
      switch (slot[0]) {
        case "value":
          return this.read(this.piecesOf(inputs[slot[1]])[slot[2]]);
        case "pad":
          return this.pads.get(inputs[slot[1]]) as Value;
        case "weights":
          return buffers[slot[1]];
        case "result pad":
          return blends[slot[1]] as Value;
        default:
          return this.anything();
      }
    });
    const made = this.builder.node(this.library.get(op.name), operands);
    const pieces = face.results.map((form): Value[] => new Array(form?.parts.length ?? 1));
    face.outputs.forEach((slot, i) => {
      if (slot[0] === "result") pieces[slot[1]][slot[2]] = made[i];
    });
    outputs.forEach((edge, i) => {
      this.pieces.set(edge, pieces[i]);
      const blend = blends[i];
      if (blend) this.pads.set(edge, blend);
    });
    const readable = made.filter(({ shape }) => sizeOf(shape) > 0);
    this.there.push(...readable);
    for (const value of readable) this.unread.add(value);
  }

  private piecesOf(edge: Edge): readonly Value[] {
    return this.pieces.get(edge) as readonly Value[];
  }

  private read(value: Value): Value {
    this.unread.delete(value);
    return value;
  }

  /** Something that can be read, what nobody has read yet before the rest. */
  private anything(): Value {
    return this.read(this.dice.pick(this.unread.size > 0 ? [...this.unread] : this.there));
  }
}
