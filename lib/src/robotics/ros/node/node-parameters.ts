/** A node's parameters as its users set and get them. */
import type { HostNode } from "../host.js";
import { NodeGraph } from "./node-graph.js";
import type { DescriptorOptions, ParameterDescriptor } from "./parameter-descriptor.js";
import type {
  ParameterInput,
  ParameterType,
  ParameterTypeValues,
  ParameterValue,
  ReadAs,
} from "./parameter-value.js";
import type {
  DeclareOptions,
  OnSetCallback,
  Parameters,
  PostSetCallback,
  PreSetCallback,
  SetParametersResult,
} from "./parameters.js";
import type { TimeBase } from "./time-base.js";

/** Part of every node. */
export abstract class NodeParameters extends NodeGraph {
  protected constructor(
    host: HostNode,
    time: TimeBase,
    /** @internal */
    readonly parameters: Parameters,
  ) {
    super(host, time);
  }

  /**
   * Declares a parameter: from here on it can be read and set, from outside too, and keeps its type.
   * A `number` declares a double; `{ type: "integer" }` or a `bigint` an integer.
   * @param value its value, unless one was given at the node's creation
   * @returns the value that it has
   * @throws ParameterAlreadyDeclaredError; InvalidParameterValueError if the value is refused; TypeError if it has no type
   * @example
   * node.declareParameter("name", "world", { description: "whom to greet" });
   * node.declareParameter("detection_class_id", 953, { type: "integer", range: { from: 0, to: 999 } });
   */
  declareParameter<T extends ParameterInput>(name: string, value: T, options?: DeclareOptions): ReadAs<T>;
  declareParameter(name: string, value: undefined, options: DeclareOptions): ParameterValue;
  declareParameter(
    name: string,
    value: ParameterInput | undefined,
    options: DeclareOptions = {},
  ): ParameterValue {
    this.alive();
    return this.parameters.declare(name, value, options);
  }

  /** Declares several, each `namespace.name`, or `name` where the namespace is empty. @throws as {@link declareParameter} */
  declareParameters(
    namespace: string,
    parameters: Readonly<Record<string, ParameterInput>>,
    options: DeclareOptions = {},
  ): Record<string, ParameterValue> {
    const declared: Record<string, ParameterValue> = {};
    for (const [key, value] of Object.entries(parameters)) {
      const name = namespace === "" ? key : `${namespace}.${key}`;
      declared[name] = this.declareParameter(name, value, options);
    }
    return declared;
  }

  /** @throws ParameterNotDeclaredError; ParameterImmutableError if it is read-only */
  undeclareParameter(name: string): void {
    this.parameters.undeclare(name);
  }

  hasParameter(name: string): boolean {
    return this.parameters.has(name);
  }

  /**
   * Its value; arrays are copies. With `type`, of that type.
   * @throws ParameterNotDeclaredError, unless undeclared ones are allowed: then undefined; ParameterUninitializedError;
   * TypeError if it is not of type `type`
   */
  getParameter(name: string): ParameterValue;
  getParameter<K extends ParameterType>(name: string, type: K): ParameterTypeValues[K];
  getParameter(name: string, type?: ParameterType): ParameterValue {
    const value = this.parameters.get(name);
    if (type !== undefined) {
      const actual = this.parameters.typedValue(name).type;
      if (actual !== type) throw new TypeError(`parameter ${name} is of type ${actual}, not ${type}`);
    }
    return value;
  }

  /** @throws as {@link getParameter} */
  getParameters(names: readonly string[]): ParameterValue[] {
    return names.map((name) => this.parameters.get(name));
  }

  /** Its value, or `alternative` if it is not declared or has none. */
  getParameterOr<T extends ParameterInput>(name: string, alternative: T): ReadAs<T> | ParameterValue {
    const value = this.parameters.has(name) ? this.parameters.get(name, true) : undefined;
    return value === undefined ? (alternative as unknown as ReadAs<T>) : value;
  }

  /** Values of `prefix.name` by `name`; all of them for an empty prefix. */
  getParametersByPrefix(prefix: string): Record<string, ParameterValue> {
    const start = prefix === "" ? "" : `${prefix}.`;
    const found = this.parameters.names.filter((name) => name.startsWith(start));
    return Object.fromEntries(
      found.map((name) => [name.slice(start.length), this.parameters.get(name, true)]),
    );
  }

  /**
   * Sets each by itself, in order; `undefined` unsets one whose type may change.
   * @returns what became of each
   * @throws ParameterNotDeclaredError; TypeError for a value that no parameter can have
   * @example
   * const [result] = node.setParameters({ name: "ROS2" });
   * if (!result.successful) node.logger.error(result.reason);
   */
  setParameters(values: Readonly<Record<string, ParameterInput | undefined>>): SetParametersResult[] {
    this.alive();
    return this.parameters.set(assignments(values));
  }

  /** Sets all or, if one is refused, none. @throws as {@link setParameters} */
  setParametersAtomically(values: Readonly<Record<string, ParameterInput | undefined>>): SetParametersResult {
    this.alive();
    return this.parameters.setAtomically(assignments(values));
  }

  /** @throws ParameterNotDeclaredError, unless undeclared ones are allowed */
  describeParameter(name: string): ParameterDescriptor {
    return this.parameters.describe(name);
  }

  /**
   * Gives a parameter another descriptor.
   * @param alternative its new value, if the one it has does not fit
   * @throws ParameterNotDeclaredError; ParameterImmutableError; InvalidParameterValueError if neither value fits
   */
  setDescriptor(name: string, options: DescriptorOptions, alternative?: ParameterInput): ParameterValue {
    return this.parameters.setDescriptor(name, options, alternative);
  }

  /**
   * Names of parameters, and the prefixes that they have.
   * @param prefixes only those below one of these
   * @param depth how many parts the name may have, below the prefix; 0 for any
   */
  listParameters(prefixes: readonly string[] = [], depth = 0): { names: string[]; prefixes: string[] } {
    return this.parameters.list(prefixes, depth);
  }

  /** Before a set is checked: returns what is set instead. Returns what ends it. */
  onPreSetParameters(callback: PreSetCallback): () => void {
    return this.parameters.onPreSet(callback);
  }

  /**
   * Decides whether a set is accepted; called for declarations too. Returns what ends it.
   * @example
   * node.onSetParameters((parameters) => ({ successful: !parameters.some((p) => p.value === ""), reason: "empty" }));
   */
  onSetParameters(callback: OnSetCallback): () => void {
    return this.parameters.onSet(callback);
  }

  /** After a set was made. Returns what ends it. */
  onPostSetParameters(callback: PostSetCallback): () => void {
    return this.parameters.onPostSet(callback);
  }
}

const assignments = (values: Readonly<Record<string, ParameterInput | undefined>>) =>
  Object.entries(values).map(([name, value]) => ({ name, value }));
