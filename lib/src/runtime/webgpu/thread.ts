/**
 * The GPU's thread: Dawn answers by promises, tensors are read at once, so Dawn has an event loop of its own. It encodes
 * the batches that it gets into command buffers. The function is sent as text, as the pool's workers are: it may use only
 * its arguments and globals.
 */
import type { MessagePort } from "node:worker_threads";
import type { AdapterFacts, Answer, Batch, DispatchTime, ShaderMessage, ThreadSetup } from "./protocol.js";

/** What the package exports. */
interface Dawn {
  create(options: readonly string[]): GPU;
  readonly globals: object;
}

export async function gpuThread(dawn: Dawn, setup: ThreadSetup, port: MessagePort): Promise<void> {
  const { commands: C, words: S, faultBytes: FAULT_BYTES } = setup;
  const status = new Int32Array(setup.status);
  const say = (answer: Answer, transfer: ArrayBuffer[] = []): void => port.postMessage(answer, transfer);
  const set = (word: number, value: number): void => {
    Atomics.store(status, word, value);
    Atomics.notify(status, word);
  };
  const fail = (message: string): void => {
    say({ kind: "failure", message });
    Atomics.add(status, S.FAILURES, 1);
  };
  const textOf = (error: unknown): string =>
    String((error as Error)?.message ?? error)
      .trim()
      .slice(0, 2000);

  const USAGE = { mapRead: 1, copySrc: 4, copyDst: 8, uniform: 64, storage: 128, resolve: 512 };
  const ALIGN = 256; // of uniforms; no adapter asks for more
  const UNIFORM_BYTES = 1 << 18;
  const MAX_GROUPS = 4096; // bind groups kept
  const MAX_TIMES = 512; // dispatches timed at once: half of what a query set may hold
  const READABLE_KEPT = 8;
  const BATCHES_ON_DEVICE = 4;
  const NAP_AFTER_MS = 1;
  const NAP_MS = 0.2;

  Object.assign(globalThis, dawn.globals);
  // Held for as long as the thread lives: collected, it takes the process with it.
  const gpu = dawn.create(setup.options);
  (globalThis as { mlsysGpu?: GPU }).mlsysGpu = gpu;

  let device: GPUDevice;
  let facts: AdapterFacts;
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) throw new Error("Dawn finds no adapter");
    const wanted = ["shader-f16", "subgroups", "timestamp-query"] as GPUFeatureName[];
    const features = wanted.filter((name) => adapter.features.has(name));
    const limits: Record<string, number> = {};
    for (const key in adapter.limits) {
      const value = (adapter.limits as unknown as Record<string, unknown>)[key];
      if (typeof value === "number" && key.startsWith("max")) limits[key] = value;
    }
    device = await adapter.requestDevice({ requiredFeatures: features, requiredLimits: limits });
    const { vendor, architecture, device: name, description, isFallbackAdapter } = adapter.info;
    facts = {
      vendor,
      architecture,
      device: name,
      description,
      software: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`),
      features,
      limits,
      subgroupSizes: [adapter.info.subgroupMinSize ?? 0, adapter.info.subgroupMaxSize ?? 0],
    };
    say({ kind: "ready", facts });
  } catch (error) {
    fail(textOf(error));
    set(S.STATE, 2);
    port.close();
    return;
  }

  let lost = false;
  let closing = false;
  void device.lost.then(({ reason, message }) => {
    lost = true;
    if (closing) return;
    fail(`the device was lost (${reason}): ${message}`);
    set(S.STATE, 3);
    set(S.DONE, Atomics.load(status, S.DONE)); // whoever waits looks again
    Atomics.notify(status, S.DONE);
  });
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault(); // else Dawn prints it
    fail(textOf((event as GPUUncapturedErrorEvent).error));
  });

  interface Pipeline {
    readonly label: string;
    readonly pipeline: GPUComputePipeline;
    readonly layout: GPUBindGroupLayout;
    readonly uniform: boolean;
  }
  const buffers = new Map<number, GPUBuffer>();
  const pipelines = new Map<number, Pipeline>();
  const layouts = new Map<string, GPUBindGroupLayout>();
  const groups = new Map<string, GPUBindGroup>();
  const readable: GPUBuffer[] = [];
  const uniforms = device.createBuffer({
    size: UNIFORM_BYTES,
    usage: USAGE.uniform | USAGE.copyDst,
    label: "uniforms",
  });
  const uniformWords = new Int32Array(UNIFORM_BYTES / 4);
  const MAX_UNIFORM = 4096; // bytes of one dispatch's

  const layoutOf = (bindings: string): GPUBindGroupLayout => {
    let layout = layouts.get(bindings);
    if (!layout) {
      layout = device.createBindGroupLayout({
        entries: [...bindings].map((letter, binding) => ({
          binding,
          visibility: 4, // compute
          buffer:
            letter === "u"
              ? { type: "uniform", hasDynamicOffset: true }
              : { type: letter === "r" ? "read-only-storage" : "storage" },
        })),
      });
      layouts.set(bindings, layout);
    }
    return layout;
  };

  const build = async ({ id, label, wgsl, entry, bindings }: ShaderMessage): Promise<void> => {
    device.pushErrorScope("validation"); // what it would tell is told below, with the line
    const module = device.createShaderModule({ code: wgsl, label });
    void device.popErrorScope().catch(() => {});
    const { messages } = await module.getCompilationInfo();
    const errors = messages.filter(({ type }) => type === "error");
    if (errors.length > 0) {
      const lines = wgsl.split("\n");
      fail(
        `${label}: the shader is not valid WGSL: ${errors
          .slice(0, 3)
          .map(
            (m) =>
              `line ${m.lineNum}, column ${m.linePos}: ${m.message} (${(lines[m.lineNum - 1] ?? "").trim()})`,
          )
          .join("; ")}`,
      );
      return;
    }
    const layout = layoutOf(bindings);
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout], label }),
        compute: { module, entryPoint: entry },
      });
      pipelines.set(id, { label, pipeline, layout, uniform: bindings.endsWith("u") });
    } catch (error) {
      fail(`${label}: no pipeline: ${textOf(error)}`);
    }
  };

  const bufferOf = (id: number): GPUBuffer => {
    const buffer = buffers.get(id);
    if (!buffer) throw new Error(`storage ${id} is not there`);
    return buffer;
  };

  const groupOf = (id: number, pipeline: Pipeline, ids: Int32Array): GPUBindGroup => {
    const key = `${id}:${ids.join()}`;
    let group = groups.get(key);
    if (!group) {
      const entries: GPUBindGroupEntry[] = [];
      for (const [binding, name] of ids.entries())
        entries.push({ binding, resource: { buffer: bufferOf(name) } });
      if (pipeline.uniform)
        entries.push({ binding: ids.length, resource: { buffer: uniforms, size: MAX_UNIFORM } });
      group = device.createBindGroup({ layout: pipeline.layout, entries, label: pipeline.label });
      if (groups.size >= MAX_GROUPS) groups.clear();
      groups.set(key, group);
    }
    return group;
  };

  const readableOf = (bytes: number): GPUBuffer => {
    const at = readable.findIndex((buffer) => buffer.size >= bytes && buffer.size <= 4 * bytes + 65536);
    if (at >= 0) return readable.splice(at, 1)[0];
    const size = Math.max(65536, 2 ** Math.ceil(Math.log2(bytes)));
    return device.createBuffer({ size, usage: USAGE.mapRead | USAGE.copyDst, label: "readback" });
  };

  let timing = false;
  let next = 0;

  const run = async (batch: Batch): Promise<void> => {
    await Promise.all(batch.shaders.map(build));
    const { words } = batch;
    let encoder: GPUCommandEncoder | null = null;
    let pass: GPUComputePassEncoder | null = null;
    let usedUniforms = 0; // words
    let writtenUniforms = 0;
    const touched = new Set<number>();
    let labels: string[] = [];
    let queries: GPUQuerySet | null = null;
    const timesRead: Promise<void>[] = [];

    const SCOPES = ["internal", "out-of-memory", "validation"] as const;
    const openScopes = (): void => {
      for (const kind of SCOPES) device.pushErrorScope(kind);
    };
    /** Tells what went wrong since they were opened. */
    const closeScopes = async (): Promise<void> => {
      const errors = await Promise.all(SCOPES.map(() => device.popErrorScope()));
      for (const error of errors) if (error) fail(textOf(error));
    };

    const encode = (): GPUCommandEncoder => {
      encoder ??= device.createCommandEncoder();
      return encoder;
    };
    const endPass = (): void => {
      pass?.end();
      pass = null;
    };
    const submit = (): void => {
      endPass();
      if (queries) readTimes();
      if (encoder === null) return;
      if (usedUniforms > writtenUniforms)
        device.queue.writeBuffer(
          uniforms,
          writtenUniforms * 4,
          uniformWords,
          writtenUniforms,
          usedUniforms - writtenUniforms,
        );
      writtenUniforms = usedUniforms;
      device.queue.submit([(encoder as GPUCommandEncoder).finish()]);
      encoder = null;
      touched.clear();
    };
    /** The times of what was encoded come with the commands that are submitted next. */
    const readTimes = (): void => {
      const set = queries as GPUQuerySet;
      const names = labels;
      queries = null;
      labels = [];
      const bytes = names.length * 16;
      const resolved = device.createBuffer({ size: bytes, usage: USAGE.resolve | USAGE.copySrc });
      const target = device.createBuffer({ size: bytes, usage: USAGE.mapRead | USAGE.copyDst });
      const e = encode();
      e.resolveQuerySet(set, 0, names.length * 2, resolved, 0);
      e.copyBufferToBuffer(resolved, 0, target, 0, bytes);
      timesRead.push(
        Promise.resolve().then(async () => {
          await target.mapAsync(1);
          const ticks = new BigInt64Array(target.getMappedRange());
          const times: DispatchTime[] = names.map((label, i) => ({
            label,
            nanoseconds: Number(ticks[2 * i + 1] - ticks[2 * i]),
          }));
          say({ kind: "times", times });
          for (const buffer of [resolved, target]) buffer.destroy();
          set.destroy();
        }),
      );
    };
    const download = async (
      ...[from, offset, wanted, sequence, byMessage, faults]: [number, number, number, number, number, number]
    ): Promise<void> => {
      const bytes = wanted + (faults === 0 ? 0 : FAULT_BYTES);
      const target = readableOf(bytes);
      let data: ArrayBuffer | null = null;
      try {
        endPass();
        encode().copyBufferToBuffer(bufferOf(from), offset, target, 0, wanted);
        if (faults !== 0) {
          encode().copyBufferToBuffer(bufferOf(faults), 0, target, wanted, FAULT_BYTES);
          encode().clearBuffer(bufferOf(faults), 0, FAULT_BYTES);
        }
        submit();
        const [mapped] = await Promise.allSettled([target.mapAsync(1, 0, bytes), closeScopes()]);
        openScopes();
        if (mapped.status === "rejected") throw mapped.reason;
        const range = target.getMappedRange(0, bytes);
        if (byMessage) data = range.slice(0);
        else new Uint8Array(batch.staging, 0, bytes).set(new Uint8Array(range));
        target.unmap();
        if (readable.length < READABLE_KEPT) readable.push(target);
        else target.destroy();
      } catch (error) {
        if (!lost) fail(`reading back: ${textOf(error)}`);
      }
      if (byMessage) say({ kind: "data", sequence, data }, data ? [data] : []);
      set(S.DONE, sequence);
    };
    const finish = async (sequence: number): Promise<void> => {
      submit();
      await Promise.allSettled([closeScopes(), device.queue.onSubmittedWorkDone(), ...timesRead.splice(0)]);
      openScopes();
      set(S.DONE, sequence);
    };
    /** Encodes a command, or does it at once. @returns what has to be waited for */
    const execute = (at: number): Promise<void> | undefined => {
      const end = at + words[at];
      const a = at + 2;
      switch (words[at + 1]) {
        case C.CREATE:
          buffers.set(
            words[a],
            device.createBuffer({
              size: words[a + 1],
              usage: USAGE.storage | USAGE.copySrc | USAGE.copyDst,
              label: `storage ${words[a]}`,
            }),
          );
          break;
        case C.DESTROY:
          if (touched.has(words[a])) submit();
          buffers.get(words[a])?.destroy();
          buffers.delete(words[a]);
          break;
        case C.UPLOAD: {
          if (touched.has(words[a])) submit(); // writeBuffer comes before what is not submitted yet
          device.queue.writeBuffer(bufferOf(words[a]), words[a + 1], batch.blobs[words[a + 2]]);
          break;
        }
        case C.DISPATCH: {
          const id = words[a];
          const pipeline = pipelines.get(id);
          const count = words[a + 4];
          const ids = words.subarray(a + 5, a + 5 + count);
          const constants = words.subarray(a + 5 + count, end);
          if (!pipeline) break; // its failure was told
          const group = groupOf(id, pipeline, ids);
          let offset = 0;
          if (pipeline.uniform) {
            if (usedUniforms * 4 + MAX_UNIFORM > UNIFORM_BYTES) {
              submit();
              usedUniforms = 0;
              writtenUniforms = 0;
            }
            offset = usedUniforms * 4;
            uniformWords.set(constants, usedUniforms);
            usedUniforms += Math.ceil((constants.length * 4) / ALIGN) * (ALIGN / 4);
          }
          if (timing) {
            if (labels.length === MAX_TIMES) submit();
            queries ??= device.createQuerySet({ type: "timestamp", count: 2 * MAX_TIMES });
            endPass();
            const i = 2 * labels.length;
            labels.push(pipeline.label);
            pass = encode().beginComputePass({
              timestampWrites: {
                querySet: queries,
                beginningOfPassWriteIndex: i,
                endOfPassWriteIndex: i + 1,
              },
            });
          }
          pass ??= encode().beginComputePass();
          pass.setPipeline(pipeline.pipeline);
          if (pipeline.uniform) pass.setBindGroup(0, group, [offset]);
          else pass.setBindGroup(0, group);
          pass.dispatchWorkgroups(words[a + 1], words[a + 2], words[a + 3]);
          if (timing) endPass();
          for (const name of ids) touched.add(name);
          break;
        }
        case C.COPY: {
          endPass();
          encode().copyBufferToBuffer(
            ...([
              bufferOf(words[a]),
              words[a + 1],
              bufferOf(words[a + 2]),
              words[a + 3],
              words[a + 4],
            ] as const),
          );
          touched.add(words[a]).add(words[a + 2]);
          break;
        }
        case C.CLEAR: {
          endPass();
          encode().clearBuffer(bufferOf(words[a]), words[a + 1], words[a + 2]);
          touched.add(words[a]);
          break;
        }
        case C.DOWNLOAD:
          return download(...(words.subarray(a, end) as unknown as Parameters<typeof download>));
        case C.FINISH:
          return finish(words[a]);
        case C.TIME:
          timing = words[a] === 1;
          break;
      }
    };

    openScopes();
    let number = batch.first;
    for (let at = 0; at < words.length; at += words[at], number++) {
      if (number < next) continue; // came before an interrupt, too
      next = number + 1;
      try {
        const waits = execute(at);
        if (waits) await waits;
      } catch (error) {
        if (!lost) fail(textOf(error));
      }
    }
    submit();
    await Promise.allSettled([closeScopes(), ...timesRead]);
  };

  /**
   * Dawn looks for answers in every turn of the event loop, which keeps a core busy. Where the cores are what computes,
   * turns sleep for a moment once the answer takes long.
   */
  let waiting = 0;
  let napping = false;
  let since = 0;
  const nap = (): void => {
    napping = waiting > 0;
    if (!napping) return;
    if (performance.now() - since > NAP_AFTER_MS) Atomics.wait(status, S.NEVER, 0, NAP_MS);
    setImmediate(nap);
  };
  const whileWaiting = async (work: Promise<void>): Promise<void> => {
    waiting++;
    since = performance.now();
    if (facts.software && !napping) nap();
    try {
      await work;
    } finally {
      waiting--;
    }
  };

  let chain: Promise<void> = Promise.resolve();
  const ahead: Promise<unknown>[] = [];
  const take = async (message: Batch | null): Promise<void> => {
    if (message === null) {
      closing = true;
      device.destroy();
      await Promise.allSettled(ahead); // Dawn ends the process if a promise of its own is never settled
      set(S.STATE, 4);
      port.close();
      return;
    }
    set(S.TAKEN, Atomics.load(status, S.TAKEN) + 1);
    if (Atomics.load(status, S.CLOSING) === 1) return;
    await run(message);
    ahead.push(device.queue.onSubmittedWorkDone().catch(() => {}));
    if (ahead.length > BATCHES_ON_DEVICE) await ahead.shift();
  };
  port.on("message", (message: Batch | null) => {
    chain = chain
      .then(() => whileWaiting(take(message)))
      .catch((error) => {
        if (!lost) fail(textOf(error));
      });
  });
  set(S.STATE, 1);
}
