/** V8's remote values as text and as arguments, and the names that lead to them. */
import type { Runtime } from "node:inspector";

const MAX_TEXT = 300;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

export function thrownText({ exception, text }: Runtime.ExceptionDetails): string {
  return (exception?.description ?? (exception ? primitiveText(exception) : text)).split("\n    at ")[0]!;
}

export function asArgument(value: Runtime.RemoteObject): Runtime.CallArgument {
  if (value.objectId !== undefined) return { objectId: value.objectId };
  return value.unserializableValue === undefined
    ? { value: value.value }
    : { unserializableValue: value.unserializableValue };
}

export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

/** @param path of the object: `""` for a scope, `undefined` where no expression leads. */
export function memberPath(path: string | undefined, name: string): string | undefined {
  if (path === undefined) return undefined;
  if (path === "") return IDENTIFIER.test(name) ? name : undefined;
  return IDENTIFIER.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

export function shortened(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

export function primitiveText(value: Runtime.RemoteObject): string {
  if (value.type === "string") return JSON.stringify(value.value);
  if (value.unserializableValue !== undefined) return value.unserializableValue;
  return value.description ?? String(value.value);
}
