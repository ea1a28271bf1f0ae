/** A node's parameters: declared with a type, set from inside and outside, each change checked and told. */
import {
  InvalidNameError,
  InvalidParameterValueError,
  ParameterAlreadyDeclaredError,
  ParameterImmutableError,
  ParameterNotDeclaredError,
  ParameterUninitializedError,
} from "./errors.js";
import {
  type DescriptorOptions,
  descriptor,
  misfit,
  type ParameterDescriptor,
  undeclaredDescriptor,
} from "./parameter-descriptor.js";
import {
  NOT_SET,
  needsBigint,
  type ParameterInput,
  type ParameterType,
  type ParameterValue,
  plain,
  type TypedValue,
  typed,
} from "./parameter-value.js";

/** One parameter as callbacks see it. */
export interface Parameter {
  readonly name: string;
  readonly type: ParameterType;
  readonly value: ParameterValue;
}

export interface DeclareOptions extends DescriptorOptions {
  /** Whether values given at the node's creation don't count. @default false */
  readonly ignoreOverride?: boolean;
}

/** What became of a change. */
export interface SetParametersResult {
  readonly successful: boolean;
  /** Empty if successful. */
  readonly reason: string;
}

/** May change the list before it is checked; what it returns is set instead. An empty list refuses. */
export type PreSetCallback = (
  parameters: readonly Parameter[],
) => readonly { name: string; value: ParameterInput | undefined }[];
/** Nothing or `successful: true` accepts. Must not change anything itself: others may still refuse. */
export type OnSetCallback = (
  parameters: readonly Parameter[],
  // biome-ignore lint/suspicious/noConfusingVoidType: a callback without a return statement accepts
) => { readonly successful: boolean; readonly reason?: string } | undefined | void;
/** Called when the change has been made. */
export type PostSetCallback = (parameters: readonly Parameter[]) => void;

/** A name and a value to set; undefined unsets. */
export interface Assignment {
  readonly name: string;
  readonly value: ParameterInput | undefined | Typed;
}

/** A value whose type is known already: from a message, a file or the command line. @internal */
export class Typed {
  constructor(readonly value: TypedValue) {}
}

/** Changes that belong to one set, for `/parameter_events`. */
export interface ParameterChanges {
  readonly new: readonly [string, TypedValue][];
  readonly changed: readonly [string, TypedValue][];
  readonly deleted: readonly [string, TypedValue][];
}

interface Slot {
  readonly descriptor: ParameterDescriptor;
  readonly value: TypedValue;
  /** Whether integers are read as `bigint`. */
  readonly bigints: boolean;
}

export interface ParametersOptions {
  readonly allowUndeclared: boolean;
  readonly overrides: ReadonlyMap<string, ParameterInput | Typed>;
}

const ACCEPTED: SetParametersResult = Object.freeze({ successful: true, reason: "" });
const refused = (reason: string): SetParametersResult => ({ successful: false, reason });

/** @internal Reached through the node's methods. */
export class Parameters {
  readonly #slots = new Map<string, Slot>();
  readonly #pre = new Set<PreSetCallback>();
  readonly #on = new Set<OnSetCallback>();
  readonly #post = new Set<PostSetCallback>();

  /** Told of each set that was made. */
  onChange: (changes: ParameterChanges) => void = () => {};

  constructor(private readonly options: ParametersOptions) {}

  declare(name: string, initial: ParameterInput | undefined, options: DeclareOptions): ParameterValue {
    if (typeof name !== "string" || name === "")
      throw new InvalidNameError("a parameter's name must not be empty", 0);
    if (this.#slots.has(name))
      throw new ParameterAlreadyDeclaredError(`parameter ${name} is declared already`);
    const { dynamicTyping = false, ignoreOverride = false } = options;
    if (dynamicTyping && options.type)
      throw new TypeError(`parameter ${name}: with dynamicTyping it has no type of its own`);
    const first = typed(name, initial, options.type);
    if (first.type === "not_set" && !options.type && !dynamicTyping)
      throw new TypeError(`parameter ${name} needs a value, a { type } or { dynamicTyping: true }`);
    const type = options.type ?? (dynamicTyping ? "not_set" : first.type);
    const given = ignoreOverride ? undefined : this.options.overrides.get(name);
    const value = given === undefined ? first : resolve(name, given, type);
    const slot = {
      descriptor: descriptor(name, type, options),
      value,
      bigints:
        typeof initial === "bigint" ||
        initial instanceof BigInt64Array ||
        typeof (initial as bigint[])?.[0] === "bigint" ||
        (initial === undefined && needsBigint(value)),
    };
    const list: Change[] = [{ name, value, slot }];
    const result = this.#check(list, false) ?? this.#validate(list) ?? this.#commit(list, true);
    if (!result.successful) throw new InvalidParameterValueError(`can't declare: ${result.reason}`);
    return this.get(name, true);
  }

  /** Declares what was given at the node's creation and nobody declares. */
  declareOverrides(): void {
    for (const [name, given] of this.options.overrides) {
      if (this.#slots.has(name)) continue;
      if (!(given instanceof Typed)) this.declare(name, given, {});
      else if (given.value.type !== "not_set") this.declare(name, undefined, { type: given.value.type });
    }
  }

  undeclare(name: string): void {
    const { descriptor } = this.#slot(name);
    if (descriptor.readOnly)
      throw new ParameterImmutableError(`parameter ${name} is read-only: it stays declared`);
    this.#slots.delete(name);
  }

  has(name: string): boolean {
    return this.#slots.has(name);
  }

  get names(): string[] {
    return [...this.#slots.keys()];
  }

  /** @throws ParameterNotDeclaredError; ParameterUninitializedError unless `lenient` */
  get(name: string, lenient = false): ParameterValue {
    const slot = this.#find(name);
    if (!slot) return undefined;
    if (slot.value.type === "not_set" && !slot.descriptor.dynamicTyping && !lenient)
      throw new ParameterUninitializedError(`parameter ${name} (${slot.descriptor.type}) has no value yet`);
    return plain(slot.value, slot.bigints);
  }

  typedValue(name: string): TypedValue {
    this.get(name);
    return this.#slots.get(name)?.value ?? NOT_SET;
  }

  describe(name: string): ParameterDescriptor {
    const slot = this.#find(name);
    if (!slot) return undeclaredDescriptor(name);
    // a dynamic one tells the type it has now
    return slot.descriptor.dynamicTyping ? { ...slot.descriptor, type: slot.value.type } : slot.descriptor;
  }

  setDescriptor(name: string, options: DescriptorOptions, alternative?: ParameterInput): ParameterValue {
    const slot = this.#find(name);
    if (!slot) return undefined;
    if (slot.descriptor.readOnly) throw new ParameterImmutableError(`parameter ${name} is read-only`);
    const type = options.type ?? slot.descriptor.type;
    const next = descriptor(name, type, options);
    const values = [slot.value, ...(alternative === undefined ? [] : [typed(name, alternative, type)])];
    const value = values.find((candidate) => misfit(candidate, next, true) === undefined);
    if (!value) throw new InvalidParameterValueError(misfit(values.at(-1)!, next, true)!);
    this.#slots.set(name, { ...slot, descriptor: next, value });
    return plain(value, slot.bigints);
  }

  /** Each by itself: what follows a refused one is set all the same. */
  set(assignments: readonly Assignment[]): SetParametersResult[] {
    return assignments.map((assignment) => this.setAtomically([assignment]));
  }

  /** All or none. @throws ParameterNotDeclaredError */
  setAtomically(assignments: readonly Assignment[]): SetParametersResult {
    let wanted = assignments;
    if (this.#pre.size > 0) {
      const seen = this.#seen(this.#changes(assignments));
      wanted = [...this.#pre].flatMap((callback) => [...callback(seen)]);
      if (wanted.length === 0)
        return refused("no parameter is left to set: a callback before setting took all away");
    }
    const list = this.#changes(wanted);
    return this.#check(list, true) ?? this.#validate(list) ?? this.#commit(list, false);
  }

  onPreSet = (callback: PreSetCallback): (() => void) => added(this.#pre, callback);
  onSet = (callback: OnSetCallback): (() => void) => added(this.#on, callback);
  onPostSet = (callback: PostSetCallback): (() => void) => added(this.#post, callback);

  /** Names below the prefixes, at most `depth` parts deep (0: any), and the prefixes that they have. */
  list(prefixes: readonly string[] = [], depth = 0): { names: string[]; prefixes: string[] } {
    const shallow = (rest: string) => depth === 0 || rest.split(".").length <= depth;
    const names = this.names.filter((name) =>
      prefixes.length === 0
        ? shallow(name)
        : prefixes.some(
            (prefix) =>
              name === prefix || (name.startsWith(`${prefix}.`) && shallow(name.slice(prefix.length + 1))),
          ),
    );
    const found = names
      .filter((name) => name.includes("."))
      .map((name) => name.slice(0, name.lastIndexOf(".")));
    return { names, prefixes: [...new Set(found)] };
  }

  #find(name: string): Slot | undefined {
    const slot = this.#slots.get(name);
    if (!slot && !this.options.allowUndeclared) throw this.#undeclared(name);
    return slot;
  }

  #slot(name: string): Slot {
    const slot = this.#slots.get(name);
    if (!slot) throw this.#undeclared(name);
    return slot;
  }

  #undeclared(name: string): ParameterNotDeclaredError {
    const names = this.names.filter((other) => other !== "use_sim_time");
    const known = names.length > 0 ? `declared are ${names.join(", ")}` : "none is declared";
    return new ParameterNotDeclaredError(`parameter ${name} is not declared; ${known}`);
  }

  #changes(assignments: readonly Assignment[]): Change[] {
    return assignments.map(({ name, value: input }) => {
      const slot = this.#find(name) ?? {
        descriptor: undeclaredDescriptor(name),
        value: NOT_SET,
        bigints: false,
      };
      const value = resolve(
        name,
        input,
        slot.descriptor.dynamicTyping ? slot.value.type : slot.descriptor.type,
      );
      // what nobody declared is read as what was set
      const bigints = slot.descriptor.dynamicTyping
        ? typeof input === "bigint" || needsBigint(value)
        : slot.bigints;
      return { name, value, slot: { ...slot, value, bigints } };
    });
  }

  #check(list: readonly Change[], isSet: boolean): SetParametersResult | undefined {
    for (const { name, value, slot } of list) {
      if (isSet && slot.descriptor.readOnly) return refused(`parameter ${name} is read-only`);
      const why = misfit(value, slot.descriptor, isSet);
      if (why) return refused(why);
      if (!slot.bigints && needsBigint(value))
        return refused(
          `parameter ${name}: ${String(value.value)} is beyond 2^53, and it was declared with a number, not a bigint`,
        );
    }
    return undefined;
  }

  #validate(list: readonly Change[]): SetParametersResult | undefined {
    const seen = this.#seen(list);
    for (const callback of [...this.#on]) {
      const result: unknown = callback(seen);
      if (result === undefined) continue;
      const { successful, reason } = result as { successful?: unknown; reason?: unknown };
      if (typeof successful !== "boolean")
        return refused(
          "a callback for setting parameters returned something other than { successful, reason }",
        );
      if (!successful) return refused(typeof reason === "string" ? reason : "");
    }
    return undefined;
  }

  #commit(list: readonly Change[], keepUnset: boolean): SetParametersResult {
    const changes = { new: [], changed: [], deleted: [] } as Record<
      keyof ParameterChanges,
      [string, TypedValue][]
    >;
    for (const { name, value, slot } of list) {
      if (value.type === "not_set" && !keepUnset) {
        this.#slots.delete(name);
        changes.deleted.push([name, value]);
        continue;
      }
      const before = this.#slots.get(name)?.value.type ?? "not_set";
      this.#slots.set(name, slot);
      changes[before === "not_set" ? "new" : "changed"].push([name, value]);
    }
    this.onChange(changes);
    const seen = this.#seen(list);
    for (const callback of [...this.#post]) callback(seen);
    return ACCEPTED;
  }

  #seen(list: readonly Change[]): Parameter[] {
    return list.map(({ name, value, slot }) => ({
      name,
      type: value.type,
      value: plain(value, slot.bigints || needsBigint(value)),
    }));
  }
}

interface Change {
  readonly name: string;
  readonly value: TypedValue;
  /** What the parameter will be. */
  readonly slot: Slot;
}

const resolve = (name: string, input: Assignment["value"], type: ParameterType): TypedValue =>
  input instanceof Typed ? input.value : typed(name, input, type);

function added<T>(set: Set<T>, item: T): () => void {
  set.add(item);
  return () => set.delete(item);
}
