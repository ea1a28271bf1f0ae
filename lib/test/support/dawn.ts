/**
 * Runs WGSL for tests: Dawn (npm `webgpu`) on whatever Vulkan offers, by default SwiftShader from Debian's chromium. Just
 * what the tests of generated code need; the library's own device is another matter.
 */
import { existsSync, mkdtempSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import type { GpuProgram } from "../../src/compiler/codegen/gpu/index.js";
import type { ElementArray } from "../../src/compiler/codegen/typescript/source.js";

const LOADER = "/usr/lib/chromium/libvulkan.so.1";
const RTLD_NODELETE = 0x1000;
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

type Data = Readonly<Record<string, ElementArray>>;

/** Structural types of the few parts of WebGPU that are used; the package ships none that Node's types know. */
interface Device {
  readonly queue: {
    submit(list: readonly unknown[]): void;
    writeBuffer(buffer: unknown, at: number, data: ArrayBufferLike, from: number, bytes: number): void;
    onSubmittedWorkDone(): Promise<void>;
  };
  readonly limits: Readonly<Record<string, number>>;
  createShaderModule(of: { code: string }): Module;
  createComputePipelineAsync(of: object): Promise<Pipeline>;
  createBuffer(of: { size: number; usage: number }): GpuMemory;
  createBindGroup(of: object): unknown;
  createCommandEncoder(): Encoder;
  pushErrorScope(kind: string): void;
  popErrorScope(): Promise<{ message: string } | null>;
}
interface Module {
  getCompilationInfo(): Promise<{ messages: readonly { type: string; lineNum: number; message: string }[] }>;
}
interface Pipeline {
  getBindGroupLayout(group: number): unknown;
}
interface GpuMemory {
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}
interface Encoder {
  beginComputePass(): {
    setPipeline(p: Pipeline): void;
    setBindGroup(group: number, of: unknown): void;
    dispatchWorkgroups(x: number, y: number, z: number): void;
    end(): void;
  };
  copyBufferToBuffer(from: GpuMemory, at: number, to: GpuMemory, at2: number, bytes: number): void;
  finish(): unknown;
}

const USAGE = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 };

export interface Dawn {
  readonly limits: { readonly threads: number; readonly workgroupBytes: number };
  /** Runs a program on copies of the buffers and gives the parameters back. `times`: so often, for measurements. */
  run(
    program: GpuProgram,
    data: Data,
    sizes: readonly number[],
    times?: number,
  ): Promise<{ out: Data; seconds: number }>;
}

let opened: Promise<Dawn | string> | undefined;
/** Dawn's objects must outlive what the device still does for them: collected too early, they take the process with them. */
const held: unknown[] = [];
function hold<T>(made: T): T {
  held.push(made);
  return made;
}

/** The device, or why there is none. */
export function dawn(): Promise<Dawn | string> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Dawn | string> {
  if (!process.env.VK_ICD_FILENAMES && existsSync(SWIFTSHADER)) process.env.VK_ICD_FILENAMES = SWIFTSHADER;
  try {
    // Chromium's loader serves where the system has none. It is no addon, which is what the error says.
    if (existsSync(LOADER))
      process.dlopen({ exports: {} }, LOADER, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch {}
  process.env.XDG_RUNTIME_DIR ??= mkdtempSync(join(tmpdir(), "mlsys-dawn-"));
  try {
    const name = "webgpu"; // optional: not known when compiling
    const { create } = (await import(name)) as { create(flags: readonly string[]): unknown };
    const gpu = create([]) as { requestAdapter(): Promise<Adapter | null> };
    hold(gpu);
    const adapter = hold(await gpu.requestAdapter());
    if (!adapter) return "Dawn finds no adapter";
    const { maxComputeInvocationsPerWorkgroup: threads, maxComputeWorkgroupStorageSize: workgroupBytes } =
      adapter.limits;
    const request = adapter.requestDevice({
      requiredLimits: {
        maxComputeInvocationsPerWorkgroup: threads,
        maxComputeWorkgroupSizeX: adapter.limits.maxComputeWorkgroupSizeX,
        maxComputeWorkgroupStorageSize: workgroupBytes,
        maxStorageBuffersPerShaderStage: adapter.limits.maxStorageBuffersPerShaderStage,
      },
    });
    const device = hold(await request);
    return {
      limits: { threads, workgroupBytes },
      run: (program, data, sizes, times = 1) => run(device, program, data, sizes, times),
    };
  } catch (error) {
    return `no WebGPU: ${(error as Error).message}`;
  }
}

interface Adapter {
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(of: object): Promise<Device>;
}

async function run(device: Device, program: GpuProgram, data: Data, sizes: readonly number[], times: number) {
  device.pushErrorScope("validation");
  const module = hold(device.createShaderModule({ code: program.source }));
  const { messages } = await module.getCompilationInfo();
  const wrong = messages.filter((m) => m.type === "error");
  if (wrong.length > 0) {
    await device.popErrorScope();
    const lines = program.source.split("\n");
    const text = wrong.map((m) => `${m.lineNum}: ${m.message}\n  ${lines[m.lineNum - 1]}`).join("\n");
    throw new Error(`WGSL: ${text}`);
  }
  const memory = program.buffers.map((b) => {
    const bytes = Math.max(16, Math.ceil(b.bytes(sizes) / 16) * 16);
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
    const buffer = hold(device.createBuffer({ size: bytes, usage }));
    const from = data[b.name];
    if (from && !b.temporary) {
      const padded = new Uint8Array(bytes);
      padded.set(new Uint8Array(from.buffer, from.byteOffset, from.byteLength));
      device.queue.writeBuffer(buffer, 0, padded.buffer, 0, bytes);
    }
    return { buffer, bytes };
  });
  const uniform = hold(
    device.createBuffer({
      size: Math.max(16, Math.ceil(sizes.length / 4) * 16),
      usage: USAGE.uniform | USAGE.copyTarget,
    }),
  );
  if (sizes.length > 0)
    device.queue.writeBuffer(uniform, 0, Int32Array.from(sizes).buffer, 0, sizes.length * 4);
  const passes = [];
  for (const launch of program.launches) {
    const pipeline = await device.createComputePipelineAsync({
      layout: "auto",
      compute: { module, entryPoint: launch.entry },
    });
    const entries: object[] = launch.uses.map((i) => ({
      binding: i,
      resource: { buffer: memory[i].buffer },
    }));
    if (launch.usesSizes) entries.push({ binding: program.buffers.length, resource: { buffer: uniform } });
    const group = device.createBindGroup({ layout: hold(pipeline.getBindGroupLayout(0)), entries });
    passes.push(hold({ launch, pipeline, group }));
  }
  const encode = (): unknown => {
    const encoder = hold(device.createCommandEncoder());
    const pass = encoder.beginComputePass();
    for (const { launch, pipeline, group } of passes) {
      const [x, y, z] = launch.blocks(sizes);
      if (x * y * z === 0) continue;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y, z);
    }
    pass.end();
    return hold(encoder.finish());
  };
  const start = performance.now();
  for (let i = 0; i < times; i++) device.queue.submit([encode()]);
  if (times > 1) await device.queue.onSubmittedWorkDone();
  const seconds = (performance.now() - start) / 1000 / times;
  const out: Record<string, ElementArray> = {};
  for (const [i, b] of program.buffers.entries()) {
    const from = data[b.name];
    if (b.temporary || !from) continue;
    const back = hold(
      device.createBuffer({ size: memory[i].bytes, usage: USAGE.mapRead | USAGE.copyTarget }),
    );
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(memory[i].buffer, 0, back, 0, memory[i].bytes);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(1);
    const bytes = back.getMappedRange().slice(0, from.byteLength);
    back.unmap();
    back.destroy();
    out[b.name] = new (from.constructor as Float32ArrayConstructor)(bytes);
  }
  for (const { buffer } of memory) buffer.destroy();
  const problem = await device.popErrorScope();
  if (problem) throw new Error(`WebGPU: ${problem.message}`);
  return { out, seconds };
}
