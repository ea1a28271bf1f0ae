/** The native programs that were asked for, by name: each is compiled once. */

/** Something that the C compiler makes: `current` is null while it works, or if it failed. */
export interface Pending {
  current(): unknown;
  readonly ready: Promise<void>;
}

const programs = new Map<string, Pending>();

export function nativePrograms<P extends Pending>(key: string, make: () => P): P {
  let program = programs.get(key);
  if (!program) {
    program = make();
    programs.set(key, program);
  }
  return program as P;
}

export const allNativePrograms = (): Pending[] => [...programs.values()];

/** Settles when all that were asked for by now are compiled. */
export const nativeKernelsReady = (): Promise<void> =>
  Promise.all(allNativePrograms().map((p) => p.ready)).then(() => {});
