/** The transformers of a conversion, one after the other. */
import type * as Typescript from "typescript";
import { convertBranches, convertLoops } from "./flow.js";
import { Jumps } from "./jumps.js";
import { convertOperators } from "./operators.js";
import { type Node, type ParsedFunction, parseFunction, type TS, typescript } from "./parse.js";

/** One transformer's result, as code. */
export interface ConversionStage {
  readonly name: string;
  readonly code: string;
}

export interface Conversion {
  readonly parsed: ParsedFunction;
  readonly stages: readonly ConversionStage[];
  readonly code: string;
}

/** Runs all transformers. */
export function transformSource(source: string, name: string): Conversion {
  const ts = typescript();
  const parsed = parseFunction(source, name);
  const { file, fn } = parsed;
  const stages: ConversionStage[] = [];
  const note = (stage: string, body: Typescript.Block): Typescript.Block => {
    stages.push({ name: stage, code: print(ts, file, fn, body) });
    return body;
  };
  let body = note("jumps and for", convertFunctions(ts, file, name, fn));
  body = note("loops", convertLoops(ts, file, name, body));
  body = note("branches", convertBranches(ts, file, name, body));
  body = note("operators", convertOperators(ts, file, name, body));
  return { parsed, stages, code: stages[stages.length - 1].code };
}

/** The first stage: for the functions inside, from the innermost outwards, then for the function itself. */
function convertFunctions(
  ts: TS,
  file: Typescript.SourceFile,
  name: string,
  fn: ParsedFunction["fn"],
): Typescript.Block {
  const { transformed } = ts.transform(fn.body as Node, [
    (context) => {
      const visit = (node: Node): Node => {
        const inner = ts.visitEachChild(node, visit, context);
        const f = ts.factory;
        if (ts.isArrowFunction(inner) && ts.isBlock(inner.body))
          return f.updateArrowFunction(
            inner,
            inner.modifiers,
            undefined,
            inner.parameters,
            undefined,
            inner.equalsGreaterThanToken,
            new Jumps(ts, file, name).body(inner.body),
          );
        if (ts.isFunctionExpression(inner))
          return f.updateFunctionExpression(
            inner,
            inner.modifiers,
            inner.asteriskToken,
            inner.name,
            undefined,
            inner.parameters,
            undefined,
            new Jumps(ts, file, name).body(inner.body),
          );
        if (ts.isFunctionDeclaration(inner) && inner.body)
          return f.updateFunctionDeclaration(
            inner,
            inner.modifiers,
            inner.asteriskToken,
            inner.name,
            undefined,
            inner.parameters,
            undefined,
            new Jumps(ts, file, name).body(inner.body),
          );
        return inner;
      };
      return (root) => visit(root);
    },
  ]);
  return new Jumps(ts, file, name).body(transformed[0] as Typescript.ConciseBody);
}

function print(
  ts: TS,
  file: Typescript.SourceFile,
  fn: ParsedFunction["fn"],
  body: Typescript.Block,
): string {
  const f = ts.factory;
  const whole = ts.isArrowFunction(fn)
    ? f.createArrowFunction(undefined, undefined, fn.parameters, undefined, undefined, body)
    : f.createFunctionExpression(undefined, undefined, fn.name, undefined, fn.parameters, undefined, body);
  return ts.createPrinter({ removeComments: true }).printNode(ts.EmitHint.Expression, whole, file);
}
