/**
 * Dropout of a part of a tensor: the mask is that of the whole, of which each member takes its part. So a model drops the
 * same values however it is cut, and copies of a value are dropped alike. Members' generators must give the same keys.
 */
import { ShapeError } from "../../core/errors.js";
import { formatShape, normalizeAxis } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { Dropout } from "../../nn/dropout.js";
import { bernoulli } from "../../ops/random.js";
import type { ProcessGroup } from "../group/process-group.js";
import { along } from "./parts.js";

export class PartDropout extends Dropout {
  /**
   * @param whole the ordinary layer: its rate and generator
   * @param axis along which members hold equal parts
   */
  constructor(
    whole: Dropout,
    private readonly group: ProcessGroup,
    private readonly axis: number,
  ) {
    super(whole.rate, whole.generator);
    this.training = whole.training;
  }

  protected override mask(key: Tensor, x: Tensor): Tensor {
    const { group } = this;
    const axis = normalizeAxis(this.axis, x.ndim, "PartDropout");
    const length = x.shape[axis];
    if (length === 0) throw new ShapeError(`PartDropout: ${formatShape(x.shape)} has an empty part`);
    const shape = x.shape.map((n, i) => (i === axis ? n * group.size : n));
    return along(bernoulli(key, shape, 1 - this.rate), axis, { start: group.rank * length, length });
  }
}
