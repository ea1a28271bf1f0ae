/** computeAt: makes a stage's values where they are needed. */
import { type Affine, affine, maximum, minimum } from "../loop/affine.js";
import {
  type Buffer,
  type For,
  findLoop,
  LoopError,
  type LoopKernel,
  type Scope,
  type Stmt,
} from "../loop/ir.js";
import { redirectLoads } from "./cache-read.js";
import { buffersRead, countLoads, loadsOf, type Region, regionOf, writes } from "./region.js";
import { boundsOf, replaceLoop, simplify, substituteAll } from "./tree.js";

/**
 * Moves the stage that makes a `shared` buffer into the loop `at` of its consumer: each round computes just what it reads.
 * @throws LoopError if the buffer is read outside the loop, or its stages are not plain nests over its axes.
 */
export function computeAt(
  kernel: LoopKernel,
  buffer: string,
  at: string,
  scope: Scope = "local",
): LoopKernel {
  const where = `computeAt ${buffer} at "${at}"`;
  const { loop, around } = findLoop(kernel, at);
  const makers = kernel.body.filter((s) => writes(s, buffer));
  const top = around[0] ?? loop;
  if (makers.length === 0 || makers.includes(top))
    throw new LoopError(`${where}: no stage before that loop makes it`);
  const { source, accesses } = loadsOf(loop.body, buffer, where);
  if (source.scope !== "shared")
    throw new LoopError(
      `${where}: it is ${source.scope === "param" ? "a parameter" : source.scope}, not a shared temporary`,
    );
  let outside = 0;
  for (const s of kernel.body) if (!makers.includes(s)) outside += countLoads([s], buffer);
  if (outside !== countLoads(loop.body, buffer))
    throw new LoopError(`${where}: it is also read outside that loop`);
  for (const maker of makers) {
    for (const read of buffersRead(maker)) {
      const later = kernel.body
        .slice(kernel.body.indexOf(maker) + 1)
        .some((s) => !makers.includes(s) && writes(s, read));
      if (later) throw new LoopError(`${where}: its stage reads "${read}", which is written in between`);
    }
  }
  const region = regionOf(kernel, accesses, where);
  if (!region.extent.every((e) => e.isConstant))
    throw new LoopError(`${where}: the part that is read, ${region.extent.join(" × ")}, is not constant`);
  const local: Buffer = { ...source, shape: region.extent, strides: null, scope };
  const stages = makers.map((maker, i) => stageFor(maker, local, region, source, i, where));
  const replaced = redirectLoads(kernel, loop.body, source, local, region);
  const moved = replaceLoop(kernel, at, () => [
    { ...loop, body: [{ kind: "alloc", buffer: local }, ...stages, ...replaced] },
  ]);
  const gone = moved.body.filter(
    (s) =>
      !(s.kind === "alloc" && s.buffer.name === buffer && s.buffer.scope === "shared") &&
      !makers.some((m) => sameTop(m, s)),
  );
  return simplify({ ...moved, body: gone });
}

/** A stage of `source` made over for the part `region`, into `local`. */
function stageFor(
  maker: Stmt,
  local: Buffer,
  region: Region,
  source: Buffer,
  number: number,
  where: string,
): Stmt {
  const loops: For[] = [];
  let inside = maker;
  while (inside.kind === "for" && inside.body.length === 1) {
    loops.push(inside);
    inside = inside.body[0];
  }
  if ((inside.kind !== "store" && inside.kind !== "reduce") || inside.buffer.name !== source.name)
    throw new LoopError(`${where}: the stage that makes it is not a perfect nest around one statement`);
  const axisOf = new Map<string, number>();
  inside.indices.forEach((index, d) => {
    const loop = loops.find((l) => index.toString() === l.variable);
    if (!loop || axisOf.has(loop.variable))
      throw new LoopError(`${where}: index ${d} of its stage, ${index}, is not a loop of its own`);
    axisOf.set(loop.variable, d);
  });
  const suffix = number === 0 ? "_at" : `_at${number}`;
  const values = new Map(
    loops.map((l): [string, Affine] => {
      const d = axisOf.get(l.variable);
      return [
        l.variable,
        d === undefined ? affine(l.variable + suffix) : region.base[d].plus(l.variable + suffix),
      ];
    }),
  );
  const [moved] = substituteAll([inside], values) as [typeof inside];
  const body: Stmt = {
    ...moved,
    buffer: local,
    indices: inside.indices.map((index) => affine(`${index}${suffix}`)),
  };
  return loops.reduceRight<Stmt>((b, l) => {
    const d = axisOf.get(l.variable);
    const from = d === undefined ? l.from.substitute(values) : maximum(0, l.from.minus(region.base[d]));
    const to =
      d === undefined
        ? l.to.substitute(values)
        : minimum(region.extent[d], ...boundsOf(l.to, "min").map((p) => p.minus(region.base[d])));
    return { kind: "for", variable: l.variable + suffix, from, to, loop: "serial", body: [b] };
  }, body);
}

/** The same top-level statement before and after a replacement inside another. */
function sameTop(a: Stmt, b: Stmt): boolean {
  return a === b || (a.kind === "for" && b.kind === "for" && a.variable === b.variable);
}
