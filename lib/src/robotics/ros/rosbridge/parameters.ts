/** Parameters of nodes for rosapi's clients, by the services that every node of ROS 2 has. */

import type { rcl_interfaces } from "../interfaces/common/index.js";
import { msg, srv } from "../interfaces/registry.js";
import type { ServiceType } from "../interfaces/types.js";
import { DEFAULT_QOS } from "../offered-qos.js";
import { callService, expectService } from "./call.js";
import { stringify, toJson } from "./json.js";
import { fullName, isName } from "./names.js";
import { BridgeProblem, type Session } from "./session.js";

type Args = Readonly<Record<string, unknown>>;
type ParameterValue = rcl_interfaces.ParameterValue;

/** `rcl_interfaces/msg/ParameterType`: the field of a value that holds it, by number. */
const FIELDS: readonly (keyof ParameterValue | undefined)[] = [
  undefined,
  "bool_value",
  "integer_value",
  "double_value",
  "string_value",
  "byte_array_value",
  "bool_array_value",
  "integer_array_value",
  "double_array_value",
  "string_array_value",
];
const [, BOOL, INTEGER, DOUBLE, STRING, , BOOLS, INTEGERS, DOUBLES, STRINGS] = FIELDS.keys();

/** `rosapi/GetParam`: the value as JSON text. */
export async function getParam(session: Session, args: Args): Promise<object> {
  try {
    const { node, name } = target(args);
    const value = await current(session, node, name);
    const field = FIELDS[value.type];
    if (field === undefined) throw new BridgeProblem(`${node} has no parameter ${name}`);
    const plain = toJson(msg("rcl_interfaces/msg/ParameterValue"), value) as Record<string, unknown>;
    // A list of bytes, where messages have base64.
    const shown = value.type === 5 ? [...value.byte_array_value] : plain[field];
    return { value: stringify(shown), successful: true, reason: "" };
  } catch (error) {
    const value = typeof args.default_value === "string" ? args.default_value : "";
    return { value, successful: false, reason: (error as Error).message };
  }
}

/** `rosapi/SetParam`: a parameter that is there keeps its type. */
export async function setParam(session: Session, args: Args): Promise<object> {
  try {
    const { node, name } = target(args);
    if (typeof args.value !== "string") throw new BridgeProblem("rosapi: value must be JSON text");
    const { type } = await current(session, node, name);
    const value = parsed(args.value, type);
    return await set(session, node, name, value);
  } catch (error) {
    return { successful: false, reason: (error as Error).message };
  }
}

/** `rosapi/DeleteParam`. */
export async function deleteParam(session: Session, args: Args): Promise<object> {
  try {
    const { node, name } = target(args);
    return await set(session, node, name, msg("rcl_interfaces/msg/ParameterValue").create());
  } catch (error) {
    return { successful: false, reason: (error as Error).message };
  }
}

/** `rosapi/HasParam`. */
export async function hasParam(session: Session, args: Args): Promise<object> {
  const { node, name } = target(args);
  return { exists: (await current(session, node, name)).type !== 0 };
}

/** `rosapi/GetParamNames`: `/node:name` of every node that answers. */
export async function getParamNames(session: Session): Promise<object> {
  const service = "/list_parameters";
  const nodes = session.node
    .serviceNamesAndTypes()
    .filter(
      ({ name, types }) => name.endsWith(service) && types.includes("rcl_interfaces/srv/ListParameters"),
    )
    .map(({ name }) => name.slice(0, -service.length));
  const ListParameters = srv("rcl_interfaces/srv/ListParameters");
  const lists = await Promise.all(
    nodes.map(async (node) => {
      const request = ListParameters.request.create({});
      const answer = await call(session, ListParameters, `${node}${service}`, request).catch(() => undefined);
      return (answer?.result.names ?? []).map((name) => `${node}:${name}`);
    }),
  );
  return { names: lists.flat().sort() };
}

/** `/node:parameter`. */
function target({ name: given }: Args): { node: string; name: string } {
  const parts = typeof given === "string" ? /^([^:]+):(.+)$/.exec(given) : null;
  const node = parts === null ? "" : fullName(parts[1]);
  if (parts === null || !isName(node)) throw new BridgeProblem("rosapi: name must be /node:parameter");
  return { node, name: parts[2] };
}

async function current(session: Session, node: string, name: string): Promise<ParameterValue> {
  const GetParameters = srv("rcl_interfaces/srv/GetParameters");
  const { values } = await call(session, GetParameters, `${node}/get_parameters`, { names: [name] });
  return values[0] ?? msg("rcl_interfaces/msg/ParameterValue").create();
}

async function set(session: Session, node: string, name: string, value: ParameterValue): Promise<object> {
  const SetParameters = srv("rcl_interfaces/srv/SetParameters");
  const request = SetParameters.request.create({ parameters: [{ name, value }] });
  const { results } = await call(session, SetParameters, `${node}/set_parameters`, request);
  return { successful: results[0]?.successful ?? false, reason: results[0]?.reason ?? "" };
}

/** @param type that the parameter has; 0: by what the text holds */
function parsed(text: string, type: number): ParameterValue {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    given = text; // as rosapi: what is no JSON is a string
  }
  const kind = type === 0 ? kindOf(given, text) : type;
  const field = FIELDS[kind];
  if (field === undefined) throw new BridgeProblem(`rosapi: ${text.slice(0, 80)} is no value of a parameter`);
  return msg("rcl_interfaces/msg/ParameterValue").create({ type: kind, [field]: given });
}

function kindOf(given: unknown, text: string): number {
  const whole = (one: unknown) => Number.isInteger(one) && !/[.eE]/.test(text);
  const all = (test: (one: unknown) => boolean) =>
    Array.isArray(given) && given.length > 0 && given.every(test);
  if (typeof given === "boolean") return BOOL;
  if (typeof given === "number") return whole(given) ? INTEGER : DOUBLE;
  if (typeof given === "string") return STRING;
  if (all((one) => typeof one === "boolean")) return BOOLS;
  if (all(whole)) return INTEGERS;
  if (all((one) => typeof one === "number")) return DOUBLES;
  return all((one) => typeof one === "string") ? STRINGS : 0;
}

async function call<Request, Response>(
  session: Session,
  type: ServiceType<Request, Response>,
  service: string,
  request: Request,
): Promise<Response> {
  expectService(session, service);
  const client = session.node.createClient(type, service, { qos: DEFAULT_QOS });
  try {
    return await callService(session, client, request);
  } finally {
    client.dispose();
  }
}
