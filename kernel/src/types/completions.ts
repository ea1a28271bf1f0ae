/** TypeScript's kinds of completion, in the words of JupyterLab's icons. */
import ts = require("typescript");

const KINDS: Readonly<Record<string, string>> = {
  [ts.ScriptElementKind.functionElement]: "function",
  [ts.ScriptElementKind.localFunctionElement]: "function",
  [ts.ScriptElementKind.memberFunctionElement]: "function",
  [ts.ScriptElementKind.constructSignatureElement]: "function",
  [ts.ScriptElementKind.classElement]: "class",
  [ts.ScriptElementKind.localClassElement]: "class",
  [ts.ScriptElementKind.interfaceElement]: "interface",
  [ts.ScriptElementKind.typeElement]: "type",
  [ts.ScriptElementKind.enumElement]: "enum",
  [ts.ScriptElementKind.enumMemberElement]: "enum",
  [ts.ScriptElementKind.moduleElement]: "module",
  [ts.ScriptElementKind.externalModuleName]: "module",
  [ts.ScriptElementKind.scriptElement]: "path",
  [ts.ScriptElementKind.directory]: "path",
  [ts.ScriptElementKind.keyword]: "keyword",
  [ts.ScriptElementKind.memberVariableElement]: "property",
  [ts.ScriptElementKind.memberGetAccessorElement]: "property",
  [ts.ScriptElementKind.memberSetAccessorElement]: "property",
  [ts.ScriptElementKind.parameterElement]: "param",
  [ts.ScriptElementKind.alias]: "module",
};

export function completionKind(kind: ts.ScriptElementKind): string {
  return Object.hasOwn(KINDS, kind) ? KINDS[kind]! : "instance";
}

/** The beginning of a word left of the cursor. */
export function wordBefore(text: string, at: number): string {
  return /[\p{ID_Continue}$#]*$/u.exec(text.slice(0, at))![0];
}
