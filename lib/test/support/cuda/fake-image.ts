/** What the fake compiler makes: the source itself, with the parameters of its kernels. */
const MAGIC = "mlsys fake image\n";

export interface Parameter {
  readonly bytes: number;
  readonly pointer: boolean;
  /** A pointer to const: the kernel only reads. */
  readonly constant: boolean;
}

export interface FakeImage {
  readonly arch: string;
  readonly source: string;
  readonly kernels: ReadonlyMap<string, readonly Parameter[]>;
}

const SIZES: Readonly<Record<string, number>> = {
  int: 4,
  unsigned: 4,
  "unsigned int": 4,
  u32: 4,
  float: 4,
  double: 8,
  "long long": 8,
  "unsigned long long": 8,
  u64: 8,
  size_t: 8,
  bool: 1,
  short: 2,
  "unsigned short": 2,
  "signed char": 1,
  "unsigned char": 1,
  TensorMap: 128,
};

export function makeImage(source: string, arch: string): Uint8Array {
  return new TextEncoder().encode(`${MAGIC}${JSON.stringify({ arch, source })}\0`);
}

/** @returns null if it is no image of the fake compiler */
export function readImage(image: Uint8Array): FakeImage | null {
  const text = new TextDecoder().decode(image);
  if (!text.startsWith(MAGIC)) return null;
  const { arch, source } = JSON.parse(text.slice(MAGIC.length).replace(/\0+$/, "")) as {
    arch: string;
    source: string;
  };
  return { arch, source, kernels: kernelParameters(source) };
}

/** Parameters of each `__global__` function. @throws Error for a type that is not known. */
export function kernelParameters(source: string): Map<string, Parameter[]> {
  const kernels = new Map<string, Parameter[]>();
  const heads =
    /__global__\s+(?:void\s+)?(?:__launch_bounds__\s*\([^)]*\)\s*)?(?:void\s+)?(\w+)\s*\(([^)]*)\)/g;
  for (const [, name, list] of source.matchAll(heads)) {
    const parameters = list
      .split(",")
      .map((text) => text.replace(/\s+/g, " ").trim())
      .filter(Boolean)
      .map((text): Parameter => {
        const pointer = text.includes("*");
        if (pointer) return { bytes: 8, pointer, constant: /^const /.test(text) };
        const type = text
          .replace(/\bconst\b|GRID_CONSTANT/g, "")
          .trim()
          .replace(/\s*\w+$/, "")
          .trim();
        const bytes = SIZES[type];
        if (bytes === undefined) throw new Error(`${name}: no size is known for the type of "${text}"`);
        return { bytes, pointer, constant: true };
      });
    kernels.set(name, parameters);
  }
  return kernels;
}
