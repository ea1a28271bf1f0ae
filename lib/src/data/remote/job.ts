/** What a worker is to do with chunks: the stages of a segment, with functions that don't depend on where this library lies. */
import { existsSync } from "node:fs";
import type { Call } from "../dataset/node.js";
import { LIBRARY } from "../engine/library-url.js";
import type { Parcel, Shipment } from "../engine/ship.js";
import type { StageOp } from "../engine/stage-work.js";

export interface JobOp extends Omit<StageOp, "f"> {
  readonly shipment: Shipment;
}

export interface Job {
  readonly stages: readonly {
    readonly ops: readonly JobOp[];
    readonly epoch: number;
    readonly timed: boolean;
  }[];
}

export type Policy = Call["onError"];

/** Where the built library lies: modules of its own are named from here. */
const ROOT = new URL(".", LIBRARY).href;
const OURS = "mlsys:";

const leaving = (module: string): string =>
  module.startsWith(ROOT) ? OURS + module.slice(ROOT.length) : module;
const arriving = (module: string): string =>
  module.startsWith(OURS) ? ROOT + module.slice(OURS.length) : module;

function renamed(shipment: Shipment, rename: (module: string) => string): Shipment {
  const parcels = shipment.parcels.map(
    (parcel): Parcel =>
      "path" in parcel ? { ...parcel, path: { ...parcel.path, module: rename(parcel.path.module) } } : parcel,
  );
  return { ...shipment, parcels };
}

const mapped = (job: Job, f: (shipment: Shipment) => Shipment): Job => ({
  stages: job.stages.map((stage) => ({
    ...stage,
    ops: stage.ops.map((op) => ({ ...op, shipment: f(op.shipment) })),
  })),
});

/** For another machine. */
export const portable = (job: Job): Job => mapped(job, (shipment) => renamed(shipment, leaving));

/** From another machine: packages are looked for from its folder if that is here too, else from where the worker was started. */
export const local = (job: Job): Job =>
  mapped(job, (shipment) => {
    const folder = existsSync(shipment.folder) ? shipment.folder : process.cwd();
    return renamed({ ...shipment, folder }, arriving);
  });
