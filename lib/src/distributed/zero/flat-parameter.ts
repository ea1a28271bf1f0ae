/**
 * Flat parameters: the parameters of a part of a model as one vector, of which each rank owns a part. The whole is gathered
 * when it is needed, and given back afterwards. (Rajbhandari et al. 2020, "ZeRO"; Zhao et al. 2023, "PyTorch FSDP".)
 */
import type { GradientSink } from "../../autodiff/gradient-sink.js";
import { noGrad } from "../../autodiff/tape-mode.js";
import { Variable } from "../../autodiff/variable.js";
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import { type DenseTensor, viewOf } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";
import {
  copyInto,
  type FlatLayout,
  flatBuffer,
  flatLayout,
  hostBytes,
  pieceOf,
} from "../data-parallel/flat.js";
import type { ProcessGroup, Work } from "../group/process-group.js";

/** What is sharded: 1 the optimizer's state, 2 gradients too, 3 parameters too. */
export type ZeroStage = 1 | 2 | 3;

export class FlatParameter implements GradientSink {
  readonly enabled = true;
  /** This rank's part, which the optimizer trains. */
  readonly shard: Variable;
  readonly layout: FlatLayout;
  /** Elements of each rank's part; the last one is filled up with zeros. */
  readonly chunk: number;
  private readonly full: DenseTensor;
  private readonly dtype: DType;
  private readonly placeOf: ReadonlyMap<Variable, number>;
  private here = true;
  /** Of the shard, when the whole was gathered. */
  private version = 0;
  private gathering: Work<Tensor> | null = null;
  private gradient: DenseTensor | null = null;
  private readonly filled = new Set<number>();
  private sent: Work<Tensor> | null = null;

  /**
   * @param parameters in the dtype in which the model computes
   * @param values what they hold at first, in the dtype in which the optimizer does
   */
  constructor(
    readonly names: readonly string[],
    readonly parameters: readonly Variable[],
    values: readonly Tensor[],
    readonly group: ProcessGroup,
    readonly stage: ZeroStage,
    name: string,
  ) {
    const { rank, size } = group;
    this.dtype = parameters[0].dtype;
    this.layout = flatLayout(parameters, this.dtype);
    this.chunk = Math.ceil(this.layout.size / size);
    const master = zeroFilled(this.chunk * size, values[0].dtype);
    values.forEach((value, i) => {
      copyInto(master, this.layout.pieces[i].from, hostBytes(needConcrete(value, name)));
    });
    const mine = outsideScopes(() => noGrad(() => this.partOf(master, rank).add(0)));
    this.shard = new Variable(mine, { name });
    mine.dispose();
    this.full = master.dtype === this.dtype ? master : outsideScopes(() => cast(master, this.dtype));
    if (this.full !== master) master.dispose();
    this.placeOf = new Map(parameters.map((variable, i) => [variable, i]));
    parameters.forEach((variable, i) => {
      const view = pieceOf(this.full, this.layout.pieces[i]);
      variable.assign(view);
      view.dispose();
    });
    this.version = this.shard.version;
    this.release();
  }

  /** Starts to bring the whole here, unless it is. */
  gather(): void {
    if (this.gathering || (this.here && this.version === this.shard.version)) return;
    this.version = this.shard.version;
    this.gathering = outsideScopes(() => {
      const own = cast(this.shard.value, this.dtype);
      const work = this.group.allGather(own);
      if (own !== this.shard.value) own.dispose(); // the group holds what it reads
      return work;
    });
  }

  /** Blocks until the whole is here. */
  need(): void {
    this.gather();
    const { gathering } = this;
    if (!gathering) return;
    this.gathering = null;
    const whole = outsideScopes(() => needConcrete(gathering.wait(), "allGather"));
    this.full.storage.refill(whole.storage);
    whole.dispose();
    this.here = true;
  }

  /** The whole is not needed for now. */
  release(): void {
    if (this.stage < 3 || !this.here) return;
    this.full.storage.discard();
    this.here = false;
  }

  arrive(variable: Variable, gradient: Tensor): void {
    this.gradient ??= zeroFilled(this.chunk * this.group.size, this.dtype);
    const place = this.placeOf.get(variable) as number;
    copyInto(this.gradient, this.layout.pieces[place].from, hostBytes(needConcrete(gradient, "backward")));
    this.filled.add(place);
    if (this.filled.size === this.parameters.length) this.send();
  }

  /** The unit's backward is over: its gradients go to who owns them. */
  private send(): void {
    const { group, stage } = this;
    const from = this.gradient ?? zeroFilled(this.chunk * group.size, this.dtype);
    this.gradient = null;
    this.filled.clear();
    const mean = { op: "mean" } as const;
    this.sent = outsideScopes(() =>
      stage === 1 ? group.allReduce(from, mean) : group.reduceScatter(from, mean),
    );
    from.dispose(); // the group holds what it reads
    this.release();
  }

  finish(): [Variable, Tensor][] {
    if (!this.sent) this.send();
    const work = this.sent as unknown as Work<Tensor>;
    this.sent = null;
    const mean = outsideScopes(() => needConcrete(work.wait(), "reduceScatter"));
    let own = mean;
    if (this.stage === 1) {
      own = outsideScopes(() => this.partOf(mean, this.group.rank));
      mean.dispose();
    }
    const { grad } = this.shard;
    if (grad === null) return [[this.shard, own]];
    const sum = outsideScopes(() => noGrad(() => grad.add(own)));
    own.dispose();
    return [[this.shard, sum]];
  }

  abort(): void {
    this.gradient?.dispose();
    this.gradient = null;
    this.filled.clear();
    const { sent } = this;
    this.sent = null;
    try {
      sent?.wait().dispose();
    } catch {
      // the pass has failed already, with an error that says more
    }
    this.release();
  }

  /** The whole in the optimizer's dtype, as plain tensors by the names of the parameters: from what each rank holds for its part. */
  wholeOf(part: DenseTensor): Map<string, Tensor> {
    const all = needConcrete(this.group.allGather(part).wait(), "allGather");
    const out = new Map(
      this.names.map((name, i): [string, Tensor] => [name, pieceOf(all, this.layout.pieces[i])]),
    );
    all.dispose();
    return out;
  }

  /** This rank's part of whole tensors. In no scope. */
  partFrom(values: readonly Tensor[]): DenseTensor {
    const { rank, size } = this.group;
    const { dtype } = this.shard;
    const flat = zeroFilled(this.chunk * size, dtype);
    values.forEach((value, i) => {
      const own = cast(needConcrete(value, "loadStateDict"), dtype);
      copyInto(flat, this.layout.pieces[i].from, hostBytes(own));
    });
    const part = outsideScopes(() => noGrad(() => this.partOf(flat, rank).add(0) as DenseTensor));
    flat.dispose();
    return part;
  }

  private partOf(flat: DenseTensor, rank: number): DenseTensor {
    return viewOf(flat, { shape: [this.chunk], strides: [1], offset: flat.offset + rank * this.chunk });
  }
}

const cast = (x: DenseTensor, dtype: DType): DenseTensor => noGrad(() => needConcrete(x.cast(dtype), "cast"));

/** In no scope. */
function zeroFilled(size: number, dtype: DType): DenseTensor {
  const flat = flatBuffer(size, dtype);
  flat.storage.bytes().fill(0, 0, sizeOf([size]) * bytesPerElement(dtype));
  return flat;
}
