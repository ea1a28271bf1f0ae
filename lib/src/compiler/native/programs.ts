/** The native programs that were asked for, by name: each is compiled once. */
import type { NativeProgram } from "../codegen/c/compile.js";

const programs = new Map<string, NativeProgram>();

export function nativePrograms(key: string, make: () => NativeProgram): NativeProgram {
  let program = programs.get(key);
  if (!program) {
    program = make();
    programs.set(key, program);
  }
  return program;
}

export const allNativePrograms = (): NativeProgram[] => [...programs.values()];
