/** Streams (流) and events (事件) of the driver: queues of work on a device, and points in them. */
import { type Driver, EVENT_DISABLE_TIMING, NOT_READY, STREAM_NON_BLOCKING } from "./driver.js";
import { cudaError, DRIVER_CODES } from "./errors.js";
import { Out } from "./table.js";

/** True for "done", false for "not ready". */
function ready(code: number, called: string): boolean {
  if (code === 0) return true;
  if (code === NOT_READY) return false;
  throw cudaError(called, code, DRIVER_CODES);
}

export class CudaStream {
  readonly handle: number;

  /** @param priority lower numbers go first; the driver clamps them */
  constructor(
    private readonly driver: Driver,
    priority = 0,
  ) {
    const out = new Out();
    driver.cuStreamCreateWithPriority(out.at, STREAM_NON_BLOCKING, priority);
    this.handle = out.word();
  }

  /** Waits until all its work is done. */
  synchronize(): void {
    this.driver.cuStreamSynchronize(this.handle);
  }

  /** True if all its work is done. */
  get idle(): boolean {
    return ready(this.driver.raw.cuStreamQuery(this.handle), "cuStreamQuery");
  }

  /** Later work on this stream waits for the event; the host does not. */
  wait(event: CudaEvent): void {
    this.driver.cuStreamWaitEvent(this.handle, event.handle, 0);
  }

  [Symbol.dispose](): void {
    this.driver.cuStreamDestroy_v2(this.handle);
  }
}

export class CudaEvent {
  readonly handle: number;

  constructor(
    private readonly driver: Driver,
    /** Keeps the time at which the device reached it. */
    readonly timing = false,
  ) {
    const out = new Out();
    driver.cuEventCreate(out.at, timing ? 0 : EVENT_DISABLE_TIMING);
    this.handle = out.word();
  }

  /** Puts the event behind the work that the stream has now. */
  record(stream: CudaStream): this {
    this.driver.cuEventRecord(this.handle, stream.handle);
    return this;
  }

  /** True if the device has passed it. */
  get passed(): boolean {
    return ready(this.driver.raw.cuEventQuery(this.handle), "cuEventQuery");
  }

  synchronize(): void {
    this.driver.cuEventSynchronize(this.handle);
  }

  /** Milliseconds on the device from `start` to this event; both were recorded with timing and have passed. */
  since(start: CudaEvent): number {
    const out = new Out();
    this.driver.cuEventElapsedTime(out.at, start.handle, this.handle);
    return out.float();
  }

  [Symbol.dispose](): void {
    this.driver.cuEventDestroy_v2(this.handle);
  }
}

/** Events that are used again and again: making one costs a call into the driver. */
export class EventPool {
  private readonly free: CudaEvent[] = [];

  constructor(private readonly driver: Driver) {}

  take(): CudaEvent {
    return this.free.pop() ?? new CudaEvent(this.driver);
  }

  give(event: CudaEvent): void {
    this.free.push(event);
  }

  [Symbol.dispose](): void {
    for (const event of this.free.splice(0)) event[Symbol.dispose]();
  }
}
