/**
 * Loss scaling (损失缩放) for float16 (Micikevicius et al. 2018, "Mixed Precision Training"; PyTorch's `GradScaler`): small
 * gradients would become 0 in float16, so the loss is multiplied before the backward pass and the gradients divided before
 * the step. If one of them overflowed, the step is left out and the scale lowered; after many good steps it is raised.
 * Everything is made of ops and variables, so that captured training steps can hold it.
 */
import { detached } from "../autodiff/backward.js";
import { noGrad } from "../autodiff/tape-mode.js";
import { Variable } from "../autodiff/variable.js";
import { MlsysError, ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { leaves, map } from "../core/tree.js";
import { assignState, snapshot } from "../nn/state.js";
import { tensor } from "../ops/convert.js";
import { where } from "../ops/select.js";
import { tidy } from "../ops/tidy.js";
import type { Optimizer } from "./optimizer.js";

export interface GradScalerOptions {
  /** Scale of the first step. Default 65536. */
  readonly initScale?: number;
  /** Factor after `growthInterval` steps without overflow. Default 2. */
  readonly growthFactor?: number;
  /** Factor after an overflow. Default 0.5. */
  readonly backoffFactor?: number;
  /** Default 2000. */
  readonly growthInterval?: number;
  /** False: losses and gradients pass through, `step` is the optimizer's. For bfloat16, which needs no scaling. */
  readonly enabled?: boolean;
}

/** What happened to an optimizer's gradients since the last `update`. */
interface Stage {
  /** No gradient is infinite or NaN. */
  readonly finite: Tensor;
  stepped: boolean;
}

export class GradScaler {
  private readonly current: Variable;
  /** Steps without overflow since the scale changed. */
  private readonly good: Variable;
  private readonly options: Required<GradScalerOptions>;
  private readonly stages = new Map<Optimizer, Stage>();

  /**
   * @example new optim.GradScaler({ initScale: 1024 }).getScale() // 1024
   * @throws ValueError for factors and intervals outside their ranges.
   */
  constructor(options: GradScalerOptions = {}) {
    const {
      initScale = 65536,
      growthFactor = 2,
      backoffFactor = 0.5,
      growthInterval = 2000,
      enabled = true,
    } = options;
    if (!(initScale > 0)) throw new ValueError(`GradScaler: initScale is above 0, got ${initScale}`);
    if (!(growthFactor > 1)) throw new ValueError(`GradScaler: growthFactor is above 1, got ${growthFactor}`);
    if (!(backoffFactor > 0 && backoffFactor < 1))
      throw new ValueError(`GradScaler: backoffFactor is between 0 and 1, got ${backoffFactor}`);
    if (!Number.isInteger(growthInterval) || growthInterval < 1)
      throw new ValueError(`GradScaler: growthInterval is a whole number from 1, got ${growthInterval}`);
    this.options = { initScale, growthFactor, backoffFactor, growthInterval, enabled };
    const variable = (value: number, name: string) =>
      new Variable(tensor(value), { requiresGrad: false, name: `scaler.${name}` });
    this.current = variable(initScale, "scale");
    this.good = variable(0, "good");
  }

  /** The scale of the next loss; 1 if not enabled. */
  getScale(): number {
    return this.options.enabled ? this.current.value.item() : 1;
  }

  /**
   * The loss times the scale. Its gradients are to be given to `step`, or to `unscale` first.
   * @example new optim.GradScaler({ initScale: 8 }).scale(tensor(0.5)) // 4
   */
  scale(loss: Tensor): Tensor {
    return this.options.enabled ? loss.mul(this.current.present.cast(loss.dtype)) : loss;
  }

  /**
   * The gradients divided by the scale, 16-bit ones as float32: to be clipped, say, before `step`. Without `gradients`, the
   * `grad` of the optimizer's variables, in place.
   * @throws MlsysError if that was done since the last `update`, or a step was taken.
   */
  unscale<T>(optimizer: Optimizer, gradients?: T): T {
    if (!this.options.enabled) return gradients as T;
    const before = this.stages.get(optimizer);
    if (before?.stepped)
      throw new MlsysError("GradScaler.unscale: step() was called since the last update()");
    if (before)
      throw new MlsysError("GradScaler.unscale: the gradients were unscaled since the last update()");
    if (gradients !== undefined) return this.unscaled(optimizer, gradients);
    const variables = optimizer.parameters.filter((v) => v.grad !== null);
    noGrad(() => {
      const list = this.unscaled(
        optimizer,
        variables.map((v) => v.grad as Tensor),
      );
      for (const [i, v] of variables.entries()) {
        v.grad?.dispose();
        v.grad = detached(list[i]);
      }
    });
    return gradients as T;
  }

  /**
   * The optimizer's step, unless a gradient is infinite or NaN: then parameters and state stay as they are. Gradients are
   * unscaled first, where `unscale` did not do it.
   * @throws MlsysError if a step was taken since the last `update`.
   */
  step(optimizer: Optimizer, gradients?: unknown): void {
    if (!this.options.enabled) {
      optimizer.step(gradients);
      return;
    }
    if (this.stages.get(optimizer)?.stepped)
      throw new MlsysError("GradScaler.step: step() was called since the last update()");
    let ready = gradients;
    if (!this.stages.has(optimizer)) ready = this.unscale(optimizer, gradients);
    const stage = this.stages.get(optimizer) as Stage;
    optimizer.step(ready, { when: stage.finite });
    stage.stepped = true;
  }

  /**
   * Changes the scale by what the last step saw; to be called once after the steps of all optimizers.
   * @param newScale the next scale, whatever was seen
   * @throws MlsysError if no gradients were looked at.
   */
  update(newScale?: number): void {
    const { enabled, growthFactor, backoffFactor, growthInterval } = this.options;
    if (!enabled) return;
    if (newScale !== undefined) {
      if (!(newScale > 0)) throw new ValueError(`GradScaler.update: the scale is above 0, got ${newScale}`);
      this.current.assign(tensor(newScale));
      this.stages.clear();
      return;
    }
    const seen = [...this.stages.values()].map((stage) => stage.finite);
    if (seen.length === 0)
      throw new MlsysError("GradScaler.update: no gradients were unscaled since the last update()");
    tidy(() => {
      const finite = seen.reduce((a, b) => a.logicalAnd(b));
      const scale = this.current.present;
      const good = this.good.present.add(1);
      const grows = good.greaterEqual(growthInterval);
      const grown = scale.mul(growthFactor);
      const next = where(grows.logicalAnd(grown.isfinite()), grown, scale);
      this.current.assign(where(finite, next, scale.mul(backoffFactor)));
      this.good.assign(where(finite.logicalAnd(grows.logicalNot()), good, 0));
    });
    this.stages.clear();
  }

  /** Scale and count of good steps, to go on as if there had been no break. */
  stateDict(): Map<string, Tensor> {
    return snapshot(this.state());
  }

  /** @throws MlsysError that lists what is missing, unknown or misshapen; nothing is assigned then. */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    assignState(this.state(), state, "GradScaler.loadStateDict");
  }

  private state(): [string, Variable][] {
    return [
      ["scale", this.current],
      ["good", this.good],
    ];
  }

  /** What holds if several look at parts of the gradients; this one has seen them all. */
  protected agreed(finite: Tensor): Tensor {
    return finite;
  }

  private unscaled<T>(optimizer: Optimizer, gradients: T): T {
    const inverse = tensor(1).div(this.current.present);
    const all = leaves(gradients);
    const finite = all
      .map((g) => g.isfinite().all())
      .reduce((a, b) => a.logicalAnd(b), tensor(true) as Tensor);
    this.stages.set(optimizer, { finite: this.agreed(finite), stepped: false });
    return map(
      (g) => (g.dtype === "float64" ? g.mul(inverse.cast(g.dtype)) : g.cast("float32").mul(inverse)),
      gradients,
    );
  }
}
