/** Services and clients on ROS 2; of an action's hidden services too, whose types lie beside the action's. */
import { DisposedError } from "../../../core/errors.js";
import type { EntityOptions, HostClient, HostService, QoSProfile } from "../host.js";
import { deserialize, encode } from "../interfaces/cdr.js";
import type { ServiceType } from "../interfaces/types.js";
import type { Handle, NativeQos, NativeServiceType } from "./addon.js";
import { drain } from "./drain.js";
import { toNative } from "./qos.js";
import type { Ground } from "./topic.js";
import type { NativeType } from "./types.js";

/**
 * Whatever depth is asked for, no request or answer is dropped: its call would wait for ever. The history is each end's
 * own affair, others are not told of it.
 */
const unbounded = (qos: QoSProfile): NativeQos => toNative({ ...qos, history: "keep_all" });

type NativeService = NativeType & { readonly ends: NativeServiceType };

/** A client may ask before this side has discovered its end for the answer; it is waited for about ten seconds. */
const TRIES = 80;
const PAUSE_MS = 20; // beside the 100 that the middleware itself waits

export class RclService<Request, Response> implements HostService {
  private readonly handle: Handle;
  private isDisposed = false;

  constructor(
    private readonly ground: Ground,
    private readonly type: ServiceType<Request, Response>,
    private readonly native: NativeService,
    readonly name: string,
    { qos }: EntityOptions,
    private readonly onRequest: (request: Request) => Promise<Response>,
    private readonly onAnswered?: (request: Request) => void,
  ) {
    const { addon, node } = ground;
    const listener = drain(() => {
      const taken = this.isDisposed ? undefined : addon.mlsys.takeRequest(this.handle, native.ends);
      if (taken) void this.answer(...taken);
      return taken !== undefined;
    });
    this.handle = addon.mlsys.createService(
      node,
      native.library,
      native.name,
      name,
      unbounded(qos),
      listener,
    );
  }

  private async answer(bytes: Uint8Array, id: Uint8Array): Promise<void> {
    let request: Request;
    let response: Response;
    try {
      request = deserialize(this.type.request, bytes);
      response = await this.onRequest(request);
    } catch {
      return; // who serves reports it
    }
    const encoded = encode(this.type.response, response);
    const { sendResponse } = this.ground.addon.mlsys;
    for (let tries = 0; tries < TRIES && !this.isDisposed; tries++) {
      if (sendResponse(this.handle, this.native.ends, id, encoded)) break;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    if (!this.isDisposed) this.onAnswered?.(request);
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.handle.release();
    this.ground.ended(this);
  }
}

interface Call<Response> {
  resolve(response: Response): void;
  reject(error: unknown): void;
}

/** Longest that a timer waits: 24 days. */
const LONG = 2 ** 31 - 1;

export class RclClient<Request, Response> implements HostClient<Request, Response> {
  private readonly handle: Handle;
  private readonly calls = new Map<number, Call<Response>>();
  /** Keeps the process while a call waits. */
  private stay: NodeJS.Timeout | undefined;
  private isDisposed = false;

  constructor(
    private readonly ground: Ground,
    private readonly type: ServiceType<Request, Response>,
    private readonly native: NativeService,
    readonly name: string,
    { qos }: EntityOptions,
  ) {
    const { addon, node } = ground;
    const listener = drain(() => {
      const taken = this.isDisposed ? undefined : addon.mlsys.takeResponse(this.handle, native.ends);
      if (!taken) return false;
      const [bytes, sequence] = taken;
      this.calls.get(sequence)?.resolve(deserialize(type.response, bytes));
      return true;
    });
    this.handle = addon.mlsys.createClient(node, native.library, native.name, name, unbounded(qos), listener);
  }

  isServiceAvailable(): boolean {
    const { addon, node } = this.ground;
    return !this.isDisposed && addon.serviceServerIsAvailable(node, this.handle);
  }

  call(request: Request, signal?: AbortSignal): Promise<Response> {
    return new Promise<Response>((resolve, reject) => {
      if (this.isDisposed) throw new DisposedError(`${this.name}: called after dispose()`);
      signal?.throwIfAborted();
      const bytes = encode(this.type.request, request);
      const sequence = this.ground.addon.mlsys.sendRequest(this.handle, this.native.ends, bytes);
      const ended = (): void => {
        this.calls.delete(sequence);
        if (this.calls.size === 0) clearInterval(this.stay);
        signal?.removeEventListener("abort", abort);
      };
      const call: Call<Response> = {
        resolve: (response) => {
          ended();
          resolve(response);
        },
        reject: (error) => {
          ended();
          reject(error);
        },
      };
      const abort = (): void => call.reject(signal?.reason);
      if (this.calls.size === 0) this.stay = setInterval(() => {}, LONG);
      this.calls.set(sequence, call);
      signal?.addEventListener("abort", abort);
    });
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.handle.release();
    const error = new DisposedError(`${this.name}: the client was disposed of while a call waited`);
    for (const call of [...this.calls.values()]) call.reject(error);
    this.ground.ended(this);
  }
}
