/** CUDA graphs: work captured from streams, instantiated once, launched again and again by one call. */
import { CAPTURE_MODE_RELAXED, type Driver } from "./driver.js";
import { cudaError, DRIVER_CODES } from "./errors.js";
import type { CudaStream } from "./stream.js";
import { Out } from "./table.js";

const UPDATE_FAILURE = 910;

/** Work as recorded: nodes and their dependencies. */
export class CudaGraph {
  private constructor(
    readonly driver: Driver,
    readonly handle: number,
  ) {}

  /**
   * Records what `body` enqueues on the stream (and on streams that it forks to and joins by events); nothing runs.
   * The capture is ended also when `body` throws.
   */
  static capture(driver: Driver, stream: CudaStream, body: () => void): CudaGraph {
    driver.cuStreamBeginCapture_v2(stream.handle, CAPTURE_MODE_RELAXED);
    const out = new Out();
    try {
      body();
    } catch (error) {
      driver.raw.cuStreamEndCapture(stream.handle, out.at);
      if (out.word() !== 0) driver.raw.cuGraphDestroy(out.word());
      throw error;
    }
    driver.cuStreamEndCapture(stream.handle, out.at);
    return new CudaGraph(driver, out.word());
  }

  /** Number of nodes. */
  get size(): number {
    const out = new Out();
    this.driver.cuGraphGetNodes(this.handle, null, out.at);
    return out.word();
  }

  instantiate(): CudaGraphExec {
    const out = new Out();
    this.driver.cuGraphInstantiateWithFlags(out.at, this.handle, 0);
    return new CudaGraphExec(this.driver, out.word());
  }

  [Symbol.dispose](): void {
    this.driver.cuGraphDestroy(this.handle);
  }
}

/** A graph ready to run. */
export class CudaGraphExec {
  constructor(
    private readonly driver: Driver,
    readonly handle: number,
  ) {}

  /** Enqueues the whole graph on the stream. */
  launch(stream: CudaStream): void {
    this.driver.cuGraphLaunch(this.handle, stream.handle);
  }

  /**
   * Takes over the arguments of another graph of the same structure.
   * @returns false if the structures differ: instantiate anew
   */
  update(graph: CudaGraph): boolean {
    const out = new Out();
    const code = this.driver.raw.cuGraphExecUpdate_v2(this.handle, graph.handle, out.at);
    if (code === 0) return true;
    if (code === UPDATE_FAILURE) return false;
    throw cudaError("cuGraphExecUpdate_v2", code, DRIVER_CODES);
  }

  [Symbol.dispose](): void {
    this.driver.cuGraphExecDestroy(this.handle);
  }
}
