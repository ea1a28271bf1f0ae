import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture } from "../../graph/capture.js";
import { cond, scan, whileLoop } from "../../graph/control/index.js";
import { randomProgram } from "../../graph/random-program.js";
import { stack, type Tensor, tensor, zeros } from "../../index.js";
import { bind } from "../../ops/bind.js";
import { getOp } from "../../ops/registry.js";
import { GraphBuilder } from "../builder.js";
import { call } from "../call.js";
import { interpret } from "../interpret.js";
import { type Block, type BlockFunction, blocksOf, type Operand } from "./blocks.js";
import { render, renderings } from "./index.js";
import { mlirText } from "./mlir.js";

const a = tensor(1);

describe("the book's examples", () => {
  it("a − b·5 as three-address code, quadruples and stack code", () => {
    const graph = capture(
      function f(a: Tensor, b: Tensor) {
        return a.sub(b.mul(5));
      },
      a,
      a,
    );
    expect(render(graph, "three-address")).toBe("f(a, b):\n  t1 = b * 5\n  t2 = a - t1\n  return t2");
    expect(render(graph, "quadruples")).toBe(
      "f\n  0: (*, b, 5, t1)\n  1: (-, a, t1, t2)\n  2: (return, t2, , )",
    );
    expect(render(graph, "stack-machine")).toBe(
      ["f(a, b):", "push a", "push b", "push 5", "multiply", "subtract", "return"].join("\n  "),
    );
  });

  it("a·5 + a·5·b: the tree has a·5 twice, the DAG once", () => {
    const graph = capture((a: Tensor, b: Tensor) => a.mul(5).add(a.mul(5).mul(b)), a, a);
    expect(render(graph, "ast")).toBe(`+
├─ *
│  ├─ a
│  └─ 5
└─ *
   ├─ *
   │  ├─ a
   │  └─ 5
   └─ b`);
    expect(render(graph, "dag")).toBe(`1: a
2: 5
3: * #1 #2
4: b
5: * #3 #4
6: + #3 #5
result #6`);
  });

  it("sum(x + sin(y)·3) on f32[8] as a jaxpr", () => {
    const graph = capture((x: Tensor, y: Tensor) => x.add(y.sin().mul(3)).sum(), zeros([8]), zeros([8]));
    expect(render(graph, "jaxpr")).toBe(`{ lambda ; a:f32[8] b:f32[8]. let
    c:f32[8] = sin b
    d:f32[8] = mul c 3.0
    e:f32[8] = add a d
    f:f32[] = reduce_sum[axes=(0,)] e
  in (f,) }`);
  });

  it("toy.transpose in MLIR's form", () => {
    const b = new GraphBuilder("example");
    const x = b.param({ dtype: "float64", shape: [2, 3] }, "tensor");
    const attrs = { axes: [1, 0], inplace: true };
    const y = b.node(getOp("transpose"), [x], attrs, "example/file/path:12:1");
    expect(
      mlirText(b.finish(y), "toy"),
    ).toBe(`func.func @example(%tensor: tensor<2x3xf64>) -> tensor<3x2xf64> {
  %0 = "toy.transpose"(%tensor) {axes = [1, 0], inplace = true} : (tensor<2x3xf64>) -> tensor<3x2xf64> loc("example/file/path":12:1)
  "func.return"(%0) : (tensor<3x2xf64>) -> ()
}`);
  });

  it("five times rv = (rv + input) / 2 from 10 in TorchScript's form", () => {
    const f = (input: Tensor) =>
      scan((rv: Tensor) => [rv.add(input).div(2), null], tensor(10), null, { length: 5 })[0];
    const graph = capture(f, a);
    expect(interpret(graph, [tensor(2)])[0].item()).toBe(2.25);
    expect(render(graph, "torchscript")).toBe(`graph(%input : Float()):
  %1 : float = prim::Constant[value=10]()
  %2 : int = prim::Constant[value=5]()
  %3 : bool = prim::Constant[value=1]()
  %4 : Float() = prim::Loop(%2, %3, %1)
    block0(%5 : int, %6 : Float()):
      %7 : float = prim::Constant[value=2]()
      %8 : Float() = aten::add(%6, %input)
      %9 : Float() = aten::div(%8, %7)
      -> (%3, %9)
  return (%4)`);
  });

  it("test_f with func as MindIR's lets", () => {
    const func = capture(
      function func(x: Tensor, y: Tensor) {
        return x.div(y);
      },
      a,
      a,
    );
    const graph = capture(
      function test_f(x: Tensor, y: Tensor) {
        const a = x.sub(1);
        const b = a.add(y);
        return b.mul(call(func, [a, b])[0]);
      },
      a,
      a,
    );
    expect(render(graph, "mindir")).toBe(`lambda (x, y)
  let %1 = x - 1 in
  let %2 = %1 + y in
  let func = lambda (x_1, y_1)
    let %3 = x_1 / y_1 in
    %3 end in
  let %4 = func(%1, %2) in
  let %5 = %2 * %4 in
  %5 end`);
  });
});

describe("control flow", () => {
  const graph = capture(function collatz(n: Tensor) {
    return whileLoop(
      (n: Tensor) => n.greater(1),
      (n: Tensor) => [
        cond(
          n.remainder(2).equal(0),
          () => n.div(2),
          () => n.mul(3).add(1),
        ),
      ],
      [n] as [Tensor],
    )[0];
  }, a);

  it("as a control-flow graph", () => {
    expect(render(graph, "cfg")).toBe(`collatz(n)
entry:
  → while
while (from entry, join):
  t1 = φ(entry: n, join: t8)
  t2 = t1 > 1
  if t2
  → body, end
body (from while):
  t3 = t1 % 2
  t4 = t3 == 0
  if t4
  → then, else
then (from body):
  t5 = t1 / 2
  → join
else (from body):
  t6 = t1 * 3
  t7 = t6 + 1
  → join
join (from then, else):
  t8 = φ(then: t5, else: t7)
  → while
end (from while):
  return t1`);
  });

  it("as single assignments with phi", () => {
    const lines = render(graph, "ssa").split("\n");
    expect(lines.slice(0, 5)).toEqual([
      "define f32 @collatz(f32 %n) {",
      "entry:",
      "  br label %while",
      "while:",
      "  %t1 = phi f32 [ %n, %entry ], [ %t8, %join ]",
    ]);
    expect(lines).toContain("  br i1 %t4, label %then, label %else");
    expect(lines.slice(-2)).toEqual(["  ret f32 %t1", "}"]);
  });

  it("in TorchScript the condition stands in front of the loop and at its end", () => {
    const lines = render(graph, "torchscript").split("\n");
    expect(lines.filter((line) => line.includes("aten::gt"))).toHaveLength(2);
    expect(lines.filter((line) => line.includes("prim::If"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("prim::Loop"))).toHaveLength(1);
  });
});

/** A machine for basic blocks: what the linear renderings mean. */
function run(functions: readonly BlockFunction[], f: BlockFunction, args: readonly Tensor[]): Tensor[] {
  const values = new Map(f.params.map(({ text }, i) => [text, args[i]]));
  const read = ({ text, type, literal }: Operand): Tensor => {
    if (!literal) return values.get(text) as Tensor;
    const parsed = JSON.parse(text) as number | number[];
    return tensor(parsed, { dtype: type.dtype }).reshape(type.shape);
  };
  let [block, from]: [Block, string] = [f.blocks[0], ""];
  for (;;) {
    const chosen = block.phis.map(({ incoming }) => {
      const found = incoming.find(([, label]) => label === from);
      if (!found) throw new Error(`${block.label} has no value from ${from}`);
      return read(found[0]);
    });
    block.phis.forEach(({ result }, i) => {
      values.set(result.text, chosen[i]);
    });
    for (const { op, args, attrs, results } of block.instructions) {
      const given = args.map(read);
      const found = builtin(functions, op, given, attrs, results);
      results.forEach(({ text }, i) => {
        expect(values.has(text) && block.label === "entry").toBe(false);
        values.set(text, found[i]);
      });
    }
    const { end } = block;
    if (end.kind === "return") return end.values.map(read);
    const next =
      end.kind === "jump"
        ? end.to
        : end.kind === "branch"
          ? read(end.test).item() !== 0
            ? end.yes
            : end.no
          : end.to[Math.min(Math.max(read(end.index).item(), 0), end.to.length - 1)];
    from = block.label;
    block = f.blocks.find(({ label }) => label === next) as Block;
  }
}

function builtin(
  functions: readonly BlockFunction[],
  op: string,
  args: readonly Tensor[],
  attrs: readonly (readonly [string, unknown])[],
  results: readonly Operand[],
): Tensor[] {
  if (op === "call")
    return run(functions, functions.find(({ name }) => name === attrs[0][1]) as BlockFunction, args);
  if (op === "empty") return [zeros(results[0].type.shape, { dtype: results[0].type.dtype })];
  if (op === "entry") return [args[0].at(args[1].item())];
  if (op === "setEntry") {
    const [whole, at, entry] = args;
    const rows = Array.from({ length: whole.shape[0] }, (_, i) => (i === at.item() ? entry : whole.at(i)));
    return [stack(rows)];
  }
  return bind(getOp(op), args, Object.fromEntries(attrs));
}

const close = (found: readonly Tensor[], wanted: readonly Tensor[]): void => {
  found.forEach((y, i) => {
    const [x, z] = [y.toTypedArray(), wanted[i].toTypedArray()];
    x.forEach((element, k) => {
      expect(Math.abs(element - z[k])).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(z[k])));
    });
  });
};

/** A machine for the stack code's text. */
function runStack(code: string, args: readonly Tensor[]): Tensor[] {
  const [head, ...lines] = code.split("\n");
  const names = /\((.*)\)/.exec(head)?.[1].split(", ") ?? [];
  const values = new Map(names.map((name, i) => [name, args[i]]));
  const labels = new Map(
    lines.flatMap((line, i) => (/^\w+:$/.test(line) ? [[line.slice(0, -1), i] as const] : [])),
  );
  const pile: Tensor[] = [];
  const pop = (): Tensor => pile.pop() as Tensor;
  const words: Record<string, string> = { subtract: "sub", multiply: "mul", divide: "div" };
  for (let at = 0; ; at++) {
    const [word, ...rest] = lines[at].trim().split(" ");
    if (word.endsWith(":")) continue;
    if (word === "return") return pile;
    if (word === "push") pile.push(values.get(rest[0]) ?? tensor(Number(rest[0]), { dtype: "float64" }));
    else if (word === "store") values.set(rest[0], pop());
    else if (word === "jump") at = labels.get(rest[0]) as number;
    else if (word === "jumpIf") {
      if (pop().item() !== 0) at = labels.get(rest[0]) as number;
    } else {
      const attrs = Object.fromEntries(
        rest.map((part) => part.split("=")).map(([k, v]) => [k, JSON.parse(v) as unknown]),
      );
      const op = getOp(words[word] ?? word);
      const count = ["neg", "sin", "sum"].includes(op.name) ? 1 : 2;
      pile.push(bind(op, pile.splice(pile.length - count), attrs)[0]);
    }
  }
}

describe("what renderings mean", () => {
  it("basic blocks of random programs compute the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { graph, args } = randomProgram(seed);
        const functions = blocksOf(graph);
        close(run(functions, functions[0], args), interpret(graph, args));
      }),
      { numRuns: 25 },
    );
  });

  it("stack code runs", () => {
    const f = (x: Tensor, y: Tensor) => {
      const shared = x.mul(y).sub(2);
      const [z] = whileLoop(
        (z: Tensor) => z.sum(0).less(50),
        (z: Tensor) => [
          cond(
            z.sum(0).less(10),
            () => z.add(x).add(3),
            () => z.mul(shared).add(20),
          ),
        ],
        [shared.sin()] as [Tensor],
      );
      return [z.neg(), shared.div(z)];
    };
    const args = [tensor([1, 2], { dtype: "float64" }), tensor([0.5, -3], { dtype: "float64" })];
    const graph = capture(f, args[0], args[1]);
    close(runStack(render(graph, "stack-machine"), args), interpret(graph, args));
  });

  it.each(renderings().map(({ name }) => name))(
    "%s writes any program, and no name before its definition",
    (form) => {
      for (let seed = 0; seed < 8; seed++) {
        const text = render(randomProgram(seed).graph, form);
        expect(text).not.toMatch(/undefined|NaN|\[object|%\?|null/);
        expect(text.length).toBeGreaterThan(0);
        if (form !== "torchscript" && form !== "mindir") continue;
        const defined = new Set<string>();
        for (const line of text.split("\n")) {
          const [left, right] = / = /.test(line) ? line.split(/ = (.*)/s) : ["", line];
          if (!/^\s*(graph|block|lambda)/.test(line) && !right.startsWith("lambda"))
            for (const [name] of right.matchAll(/%[\w]+/g))
              expect([...defined], `${name} in ${line}`).toContain(name);
          const definers = /^\s*(graph|block)/.test(line) || right.startsWith("lambda") ? line : left;
          for (const [name] of definers.matchAll(/%[\w]+/g)) defined.add(name);
        }
      }
    },
  );

  it("there is a list of them, and an error for others", () => {
    expect(renderings().length).toBe(11);
    const graph = capture((x: Tensor) => x.sin(), a);
    expect(() => render(graph, "latex")).toThrow(/no form "latex"; there are three-address, quadruples/);
  });
});
