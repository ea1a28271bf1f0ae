/** How a model is served: options in code, and the same in JSON under Triton's names (`config.json`, `/config`). */
import { ValueError } from "../../core/errors.js";
import { quoted, ServeError } from "./errors.js";

export interface BatchingOptions {
  /** Rows (first axis) of one run. Default 32. */
  readonly maxBatch?: number;
  /** Milliseconds that a request may wait for others while an instance is free. Default 0: batches are what came while all were busy. */
  readonly maxDelayMs?: number;
  /** Numbers of rows that run without waiting for more. */
  readonly preferred?: readonly number[];
  /** Zero rows may fill a batch up to the next preferred size, or to the size that the model file fixes. Default false. */
  readonly pad?: boolean;
}

/** Versions that stay loaded: all, the newest so many, or these. */
export type VersionPolicy = "all" | { readonly latest: number } | readonly (number | string)[];

export interface ModelOptions {
  /** Default: on, for a model whose rows come out as they do alone (this is tried when it is loaded). `false`: off. */
  readonly batching?: BatchingOptions | false;
  /** Worker threads with the model, each with its own copy. Default 1. */
  readonly instances?: number;
  /** Threads that an instance computes with. Default: the processors, divided among the instances. */
  readonly threads?: number;
  /** Device of the instances, as `setDevice`. */
  readonly device?: string;
  /** Requests that may wait; others are told to come back later. Default 256. */
  readonly maxQueue?: number;
  /** Milliseconds after which a request without a deadline of its own has failed. Default 60,000. */
  readonly timeoutMs?: number;
  /** Default: runs with 1 row, with the preferred sizes and with full batches. `shapes`: of inputs with more open sizes, without the first axis. */
  readonly warmUp?: {
    readonly rows?: readonly number[];
    readonly shapes?: Readonly<Record<string, readonly number[]>>;
  };
  /** Default: the newest two, so that the one before is there to roll back to. */
  readonly versions?: VersionPolicy;
  /** URL of a module that exports `load` (see `Backend`), and what it gets as `source.options`. */
  readonly backend?: string | URL;
  readonly options?: unknown;
}

/** All of it, with defaults in place. */
export interface ModelConfig
  extends Required<Omit<ModelOptions, "batching" | "threads" | "device" | "backend" | "warmUp">> {
  readonly warmUp: Required<NonNullable<ModelOptions["warmUp"]>>;
  readonly batching: Required<BatchingOptions> | null;
  /** Whether batching was asked for this very model: then it is an error if it can't. */
  readonly batchingAsked: boolean;
  readonly threads: number | null;
  readonly device: string | null;
  readonly backend: string | null;
}

/** Sizes in configurations: larger ones are typing errors. */
const MOST = 65_536;

/** Later options over earlier ones; what is undefined says nothing. */
function merged(layers: readonly ModelOptions[]): ModelOptions {
  const said = layers.flatMap((layer) => Object.entries(layer).filter(([, value]) => value !== undefined));
  return Object.fromEntries(said) as ModelOptions;
}

/**
 * @param layers the model's own options, later ones over earlier ones
 * @throws ValueError naming the option.
 */
export function configOf(
  defaults: ModelOptions,
  layers: readonly ModelOptions[],
  where: string,
): ModelConfig {
  const options = merged([defaults, ...layers]);
  const whole = (value: number, name: string, least: number): number => {
    if (Number.isInteger(value) && value >= least && value <= MOST) return value;
    throw new ValueError(`${where}: ${name} is a whole number from ${least} to ${MOST}, got ${value}`);
  };
  const time = (value: number, name: string, positive: boolean): number => {
    if (Number.isFinite(value) && value >= 0 && value < 2 ** 31 && !(positive && value === 0)) return value;
    throw new ValueError(`${where}: ${name} is a time in milliseconds, got ${value}`);
  };
  const { batching } = options;
  const { maxBatch = 32, maxDelayMs = 0, preferred = [], pad = false } = batching || {};
  for (const size of preferred)
    if (whole(size, "a preferred size", 1) > maxBatch)
      throw new ValueError(`${where}: the preferred size ${size} is more than maxBatch, ${maxBatch}`);
  const versions = options.versions ?? { latest: 2 };
  if (typeof versions === "object" && "latest" in versions) whole(versions.latest, "versions.latest", 1);
  return {
    batching:
      batching === false
        ? null
        : {
            maxBatch: whole(maxBatch, "maxBatch", 1),
            maxDelayMs: time(maxDelayMs, "maxDelayMs", false),
            preferred: [...new Set(preferred)].sort((a, b) => a - b),
            pad,
          },
    batchingAsked: typeof merged(layers).batching === "object",
    instances: whole(options.instances ?? 1, "instances", 1),
    threads: options.threads === undefined ? null : whole(options.threads, "threads", 1),
    device: options.device ?? null,
    maxQueue: whole(options.maxQueue ?? 256, "maxQueue", 0),
    timeoutMs: time(options.timeoutMs ?? 60_000, "timeoutMs", true),
    warmUp: {
      rows: (options.warmUp?.rows ?? []).map((rows) => whole(rows, "warmUp.rows", 1)),
      shapes: options.warmUp?.shapes ?? {},
    },
    versions,
    backend: options.backend === undefined ? null : String(options.backend),
    options: options.options ?? null,
  };
}

type Json = Readonly<Record<string, unknown>>;

const isJson = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Options of a `config.json`: the fields of Triton's ModelConfig that have a meaning here.
 * @throws ServeError INVALID_ARGUMENT naming the field that is unknown or malformed.
 */
export function optionsFromJson(json: unknown, where: string): ModelOptions {
  const fail = (problem: string): never => {
    throw new ServeError("INVALID_ARGUMENT", `${where}: ${problem}`);
  };
  const object = (value: unknown, name: string, known: readonly string[]): Json => {
    if (!isJson(value)) return fail(`${name} is an object, got ${quoted(value)}`);
    const other = Object.keys(value).find((key) => !known.includes(key));
    if (other !== undefined)
      fail(`${name} has the unknown field ${quoted(other)}; known: ${known.join(", ")}`);
    return value;
  };
  const number = (value: unknown, name: string): number | undefined => {
    if (value === undefined) return undefined;
    const found = typeof value === "string" && value !== "" ? Number(value) : value; // 64-bit fields are text in protobuf's JSON
    return typeof found === "number" && Number.isFinite(found)
      ? found
      : fail(`${name} is a number, got ${quoted(value)}`);
  };
  const list = (value: unknown, name: string): readonly unknown[] =>
    Array.isArray(value) ? value : fail(`${name} is a list, got ${quoted(value)}`);
  const root = object(json, "the configuration", CONFIG_FIELDS);
  const batching = root.dynamic_batching;
  const maxBatch = number(root.max_batch_size, "max_batch_size");
  const dynamic =
    batching === undefined
      ? {}
      : object(batching, "dynamic_batching", [
          "preferred_batch_size",
          "max_queue_delay_microseconds",
          "pad",
          "default_queue_policy",
        ]);
  const policy =
    dynamic.default_queue_policy === undefined
      ? {}
      : object(dynamic.default_queue_policy, "default_queue_policy", [
          "max_queue_size",
          "default_timeout_microseconds",
        ]);
  const [group = {}] = (
    root.instance_group === undefined ? [] : list(root.instance_group, "instance_group")
  ).map((value) => object(value, "instance_group", ["count", "threads", "device"]));
  const delay = number(dynamic.max_queue_delay_microseconds, "max_queue_delay_microseconds");
  const timeout = number(policy.default_timeout_microseconds, "default_timeout_microseconds");
  if (dynamic.pad !== undefined && typeof dynamic.pad !== "boolean") fail(`pad is true or false`);
  if (group.device !== undefined && typeof group.device !== "string") fail(`device is a name`);
  const options: Record<string, unknown> = {
    batching:
      maxBatch === 0
        ? false
        : maxBatch === undefined && batching === undefined
          ? undefined
          : {
              maxBatch,
              maxDelayMs: delay === undefined ? undefined : delay / 1000,
              preferred:
                dynamic.preferred_batch_size === undefined
                  ? undefined
                  : list(dynamic.preferred_batch_size, "preferred_batch_size").map((size) =>
                      number(size, "a preferred size"),
                    ),
              pad: dynamic.pad,
            },
    instances: number(group.count, "count"),
    threads: number(group.threads, "threads"),
    device: group.device,
    maxQueue: number(policy.max_queue_size, "max_queue_size"),
    timeoutMs: timeout === undefined ? undefined : timeout / 1000,
    versions: root.version_policy === undefined ? undefined : policyOf(root.version_policy),
  };
  return options as ModelOptions;

  function policyOf(value: unknown): VersionPolicy {
    const { latest, all, specific } = object(value, "version_policy", ["latest", "all", "specific"]);
    if (all !== undefined) return "all";
    if (specific !== undefined)
      return list(object(specific, "specific", ["versions"]).versions, "versions").map((v) => String(v));
    if (latest === undefined) return fail("version_policy has latest, all or specific");
    return { latest: number(object(latest, "latest", ["num_versions"]).num_versions, "num_versions") ?? 1 };
  }
}

const CONFIG_FIELDS = [
  "name",
  "platform",
  "backend",
  "max_batch_size",
  "dynamic_batching",
  "instance_group",
  "version_policy",
];

/** The configuration as JSON under Triton's names; times in microseconds. */
export function configAsJson(config: ModelConfig): Json {
  const { batching, versions } = config;
  return {
    max_batch_size: batching?.maxBatch ?? 0,
    dynamic_batching: {
      preferred_batch_size: batching?.preferred ?? [],
      max_queue_delay_microseconds: Math.round(1000 * (batching?.maxDelayMs ?? 0)),
      pad: batching?.pad ?? false,
      default_queue_policy: {
        max_queue_size: config.maxQueue,
        default_timeout_microseconds: Math.round(1000 * config.timeoutMs),
      },
    },
    instance_group: [
      {
        count: config.instances,
        ...(config.threads === null ? {} : { threads: config.threads }),
        ...(config.device === null ? {} : { device: config.device }),
      },
    ],
    version_policy:
      versions === "all"
        ? { all: {} }
        : "latest" in versions
          ? { latest: { num_versions: versions.latest } }
          : { specific: { versions: versions.map(String) } },
  };
}
