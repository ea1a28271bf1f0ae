/**
 * Kernels in boxes that are ready before they are asked for: starting one takes longer than running a cell. Each
 * is used once, for one submission, and destroyed.
 */
import { onTheWayOut } from "./running.js";
import { BoxedKernel, type BoxOptions } from "./sandboxed.js";

export class BoxPool {
  private readonly ready: Promise<BoxedKernel>[] = [];
  private closed = false;

  /** @param size kernels to keep ready; 0 starts each when it is asked for */
  constructor(
    private readonly options: BoxOptions,
    private readonly size: number,
  ) {
    onTheWayOut.add(this);
  }

  /** @throws GraderError when the kernel does not start */
  async take(): Promise<BoxedKernel> {
    for (;;) {
      const kernel = await (this.ready.shift() ?? BoxedKernel.start(this.options));
      this.refill();
      if (!kernel.dead) return kernel;
      await kernel.shutdown();
    }
  }

  /** Starts what is missing, in the background. */
  refill(): void {
    while (!this.closed && this.ready.length < this.size) {
      const kernel = BoxedKernel.start(this.options);
      kernel.catch(() => {}); // the one who takes it is told
      this.ready.push(kernel);
    }
  }

  killNow(): void {}

  async shutdown(): Promise<void> {
    this.closed = true;
    onTheWayOut.delete(this);
    const started = await Promise.allSettled(this.ready.splice(0));
    await Promise.all(
      started.map((item) => (item.status === "fulfilled" ? item.value.shutdown() : undefined)),
    );
  }
}
