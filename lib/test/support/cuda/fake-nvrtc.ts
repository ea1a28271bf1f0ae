/** NVRTC for tests where the real one is not needed: "compiles" to images that the fake driver loads. */
import type { RawNvrtc } from "../../../src/runtime/cuda/nvrtc.js";
import { makeImage } from "./fake-image.js";

type Host = number | ArrayBufferView | null;

export function fakeNvrtc(read: (address: number, bytes: number) => Uint8Array): RawNvrtc {
  const programs = new Map<number, { source: string; image: Uint8Array }>();
  let handles = 0;
  const put = (out: Host, value: number) => {
    (out as BigUint64Array)[0] = BigInt(value);
    return 0;
  };
  const bytes = (out: Host, value: Uint8Array) => {
    (out as Uint8Array).set(value);
    return 0;
  };
  const cString = (address: number): string => {
    let text = "";
    for (let i = address; ; i++) {
      const [c] = read(i, 1);
      if (c === 0) return text;
      text += String.fromCharCode(c);
    }
  };
  const image = (program: number) => programs.get(program)?.image ?? new Uint8Array();
  return {
    nvrtcVersion: (major, minor) => {
      new Int32Array((major as BigUint64Array).buffer)[0] = 13;
      new Int32Array((minor as BigUint64Array).buffer)[0] = 0;
      return 0;
    },
    nvrtcGetNumSupportedArchs: (out) => put(out, 0),
    nvrtcGetSupportedArchs: () => 0,
    nvrtcCreateProgram: (out, source) => {
      programs.set(++handles, { source, image: new Uint8Array() });
      return put(out, handles);
    },
    nvrtcDestroyProgram: (cell) => (programs.delete(Number((cell as BigUint64Array)[0])) ? 0 : 4),
    nvrtcCompileProgram: (program, count, options) => {
      const found = programs.get(program);
      if (!found) return 4;
      const arch = Array.from({ length: count }, (_, i) => cString(Number((options as BigUint64Array)[i])))
        .find((option) => option.startsWith("--gpu-architecture="))
        ?.split("=")[1];
      found.image = makeImage(found.source, arch ?? "");
      return 0;
    },
    nvrtcGetProgramLogSize: (_, out) => put(out, 1),
    nvrtcGetProgramLog: (_, out) => bytes(out, new Uint8Array(1)),
    nvrtcGetCUBINSize: (program, out) => put(out, image(program).length),
    nvrtcGetCUBIN: (program, out) => bytes(out, image(program)),
    nvrtcGetPTXSize: (program, out) => put(out, image(program).length),
    nvrtcGetPTX: (program, out) => bytes(out, image(program)),
  };
}
