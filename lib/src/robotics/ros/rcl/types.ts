/** Message and service types as ROS 2's type support libraries know them. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InterfaceError, parseMessage, parseService } from "../interfaces/parse.js";
import type { FieldDefinition, MessageDefinition, MessageType, ServiceType } from "../interfaces/types.js";
import { RosError } from "../node/errors.js";
import type { LoadedRos, NativeServiceType } from "./addon.js";
import { interfacePackages } from "./place.js";

/** Where the functions of a type are. */
export interface NativeType {
  readonly library: string;
  /** As `std_msgs__msg__String`. */
  readonly name: string;
}

/** Before the type support itself: it opens these by their names alone. */
const LIBRARIES = [
  "rosidl_generator_c",
  "rosidl_typesupport_introspection_c",
  "rosidl_typesupport_fastrtps_c",
  "rosidl_typesupport_c",
] as const;

/** Types of one process: libraries stay open. */
export class TypeSupports {
  private readonly libraries = new Map<string, string>();
  private readonly checked = new Set<string>();
  private readonly services = new Map<string, NativeServiceType>();

  constructor(private readonly ros: LoadedRos) {}

  /** @throws {RosError} if the type's package is not built for this ROS 2, or from another definition */
  message(type: MessageType): NativeType {
    return { library: this.find(type.name, [type.definition]), name: native(type.name) };
  }

  /** @throws {RosError} as `message` */
  service(type: ServiceType): NativeType & { readonly ends: NativeServiceType } {
    const library = this.find(type.name, [type.request.definition, type.response.definition]);
    const name = native(type.name);
    let ends = this.services.get(name);
    if (!ends) {
      ends = this.ros.addon.mlsys.serviceType(library, name);
      this.services.set(name, ends);
    }
    return { library, name, ends };
  }

  private find(name: string, definitions: readonly MessageDefinition[]): string {
    const pkg = name.split("/")[0];
    const library = this.libraries.get(pkg) ?? this.open(pkg, name);
    if (!this.checked.has(name)) {
      this.compare(pkg, name, definitions);
      this.checked.add(name);
    }
    return library;
  }

  private open(pkg: string, name: string): string {
    const prefix = interfacePackages(this.ros.installation.prefixes).get(pkg);
    if (prefix === undefined) throw new RosError(`${name}: ROS 2 does not have the package ${pkg}. ${BUILD}`);
    let library = "";
    for (const suffix of LIBRARIES) {
      const file = join(prefix, "lib", `lib${pkg}__${suffix}.so`);
      if (!existsSync(file)) continue;
      try {
        this.ros.addon.mlsys.preload(file);
      } catch (error) {
        throw new RosError(`${name}: ${(error as Error).message}`, { cause: error });
      }
      library = file;
    }
    if (!library.endsWith("__rosidl_typesupport_c.so"))
      throw new RosError(`${name}: ${pkg} in ${prefix} has no type support for C. ${BUILD}`);
    this.libraries.set(pkg, library);
    return library;
  }

  /** Bytes of another definition would be read wrongly, or crash: they are compared field by field. */
  private compare(pkg: string, name: string, definitions: readonly MessageDefinition[]): void {
    const [, kind, type] = name.split("/");
    const prefix = interfacePackages(this.ros.installation.prefixes).get(pkg)!;
    const file = join(prefix, "share", pkg, kind, `${type}.${kind}`);
    if (!existsSync(file)) {
      // Parts of actions have no file of their own; a name that has none at all is not of this package.
      if (kind === "action" || /_(Request|Response|Event)$/.test(type)) return;
      throw new RosError(`${name}: the package ${pkg} in ${prefix} has no such interface. ${BUILD}`);
    }
    const text = readFileSync(file, "utf8");
    try {
      const there = kind === "srv" ? partsOf(name, text) : [parseMessage(name, text)];
      if (there.every((part, index) => sameFields(part.fields, definitions[index].fields))) return;
    } catch (error) {
      if (error instanceof InterfaceError) return; // what the generators took and we do not read
      throw error;
    }
    throw new RosError(
      `${name} is built for ROS 2 from another definition (${file}) than the one given here. ${BUILD}`,
    );
  }
}

const BUILD =
  "Build it with: npx mlsys ros build-interfaces FOLDER (the package's: msg/*.msg, srv/*.srv, action/*.action).";

const native = (name: string): string => name.replaceAll("/", "__");

function partsOf(name: string, text: string): MessageDefinition[] {
  const { request, response } = parseService(name, text);
  return [request, response];
}

const sameFields = (a: readonly FieldDefinition[], b: readonly FieldDefinition[]): boolean =>
  a.length === b.length &&
  a.every(
    (field, index) =>
      field.name === b[index].name &&
      field.type === b[index].type &&
      JSON.stringify(field.array) === JSON.stringify(b[index].array),
  );
