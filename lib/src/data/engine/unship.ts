/** The other end of `ship`: functions made anew on a thread. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ModulePath } from "./known-modules.js";
import type { Parcel, Shipment } from "./ship.js";

type FunctionParcel = Extract<Parcel, { kind: "function" }>;
type Made = { readonly value: unknown; connect?(values: readonly unknown[]): void };

/** @returns the function that was shipped */
export async function unship({ parcels, root, folder }: Shipment): Promise<unknown> {
  const load = importer(folder);
  const made: (Made | null)[] = [];
  for (const parcel of parcels) made.push(isClass(parcel) ? null : await make(parcel, load));
  const values = made.map((m) => m?.value);
  // a class reads what it extends when it is made; that came into the table behind it
  for (let i = parcels.length - 1; i >= 0; i--) {
    const parcel = parcels[i];
    if (!isClass(parcel)) continue;
    made[i] = functionOf(parcel, load, values);
    values[i] = made[i]?.value;
  }
  for (const m of made) m?.connect?.(values);
  return values[root];
}

const isClass = (parcel: Parcel): parcel is FunctionParcel =>
  parcel.kind === "function" && /^\(\s*class\b/.test(parcel.text);

/** What `import("…")` means in a function's text. */
function importer(folder: string): (name: string) => Promise<unknown> {
  const require = createRequire(join(folder, "noname.js"));
  return async (name) => {
    if (name.startsWith("node:") || name.startsWith("file:") || name.startsWith("data:")) return import(name);
    try {
      return await import(pathToFileURL(require.resolve(name)).href);
    } catch (error) {
      if ((error as { code?: string }).code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
      return import(name); // a package for `import` only, found from here
    }
  };
}

async function at({ module, keys }: ModulePath): Promise<unknown> {
  if (module === "") return globalThis;
  let value: unknown = await import(module.startsWith("/") ? pathToFileURL(module).href : module);
  for (const key of keys) value = (value as Record<string, unknown>)[key];
  return value;
}

async function make(parcel: Parcel, load: (name: string) => Promise<unknown>): Promise<Made> {
  switch (parcel.kind) {
    case "data":
      return { value: parcel.value };
    case "module":
      return { value: await at(parcel.path) };
    case "maker": {
      const maker = (await at(parcel.path)) as (...args: readonly unknown[]) => unknown;
      return { value: await maker(...parcel.args) };
    }
    case "array": {
      const value: unknown[] = [];
      return { value, connect: (values) => void value.push(...parcel.items.map((i) => values[i])) };
    }
    case "object": {
      const value: Record<string, unknown> = {};
      return {
        value,
        connect: (values) => {
          for (const [key, i] of parcel.entries)
            Object.defineProperty(value, key, {
              value: values[i],
              writable: true,
              enumerable: true,
              configurable: true,
            });
        },
      };
    }
    case "function":
      return functionOf(parcel, load);
  }
}

/** @param values what a class finds when it is made */
function functionOf(
  { text, captured }: FunctionParcel,
  load: (name: string) => Promise<unknown>,
  values?: readonly unknown[],
): Made {
  const names = captured.map(([name]) => name);
  const variables = names.length > 0 ? `let ${names.join(", ")};` : "";
  const connect = names.length > 0 ? `($) => { [${names.join(", ")}] = $; }` : "() => {}";
  const source = `"use strict"; ${variables} return { make: () => ${text}, connect: ${connect} };`;
  const factory = new Function("$import", source) as (load: (name: string) => Promise<unknown>) => {
    make: () => unknown;
    connect: (values: readonly unknown[]) => void;
  };
  const { make, connect: set } = factory(load);
  const pick = (all: readonly unknown[]): unknown[] => captured.map(([, i]) => all[i]);
  if (values) set(pick(values));
  return { value: make(), connect: (all) => set(pick(all)) };
}
