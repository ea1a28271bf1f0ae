// What every process group must do, over whatever it talks: each case runs on all members at once and checks its results
// against loops in plain JavaScript. `check(group, mlsys)` gives the failures, by name.

const DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split(" ");
const FLOATS = new Set(DTYPES.slice(0, 4));
const SIZES = [0, 1, 7, 1037];

/** Small numbers: sums and products of a few are exact in every dtype. */
const value = (dtype, rank, i) => (dtype === "bool" ? (i + rank) % 2 : 1 + ((i * 7 + rank * 3) % 3));
const values = (dtype, rank, n) => Array.from({ length: n }, (_, i) => value(dtype, rank, i));

const OPS = {
  sum: (a, b) => a + b,
  product: (a, b) => a * b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
};
function combined(dtype, op, ranks, n) {
  return Array.from({ length: n }, (_, i) => {
    const all = ranks.map((rank) => value(dtype, rank, i));
    if (op === "mean") return all.reduce(OPS.sum) / all.length;
    const one = all.reduce(OPS[op]);
    return dtype === "bool" ? Math.min(1, one) : one;
  });
}

function equal(actual, wanted, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${String(a).slice(0, 200)} instead of ${String(b).slice(0, 200)}`);
}
const list = (tensor) => Array.from(tensor.toTypedArray(), Number);
const upTo = (n) => Array.from({ length: n }, (_, i) => i);
const rows = (n, size) => upTo(size).map((rank) => Math.floor(n / size) + (rank < n % size ? 1 : 0));
const before = (counts, rank) => counts.slice(0, rank).reduce((a, b) => a + b, 0);

async function failure(work) {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("an error was expected");
}
function like(error, name, pattern, what) {
  if (error.name !== name || !pattern.test(error.message))
    throw new Error(`${what}: ${error.name}: ${error.message} instead of ${name} ${pattern}`);
}

export const cases = {
  async "allReduce and reduce: every dtype, op, odd size, root"(group, { tensor }) {
    const everyone = upTo(group.size);
    for (const dtype of DTYPES)
      for (const op of FLOATS.has(dtype) ? ["sum", "product", "min", "max", "mean"] : ["sum", "min", "max"]) {
        const works = SIZES.map((n) => {
          const x = tensor(values(dtype, group.rank, n), { dtype });
          const root = n % group.size;
          return [n, root, group.allReduce(x, { op }), group.reduce(x, root, { op })];
        });
        for (const [n, root, all, one] of works) {
          const wanted = combined(dtype, op, everyone, n);
          // a mean of three is rounded once or twice
          const round = (x) => (op === "mean" ? Math.round(x * 50) : x);
          equal(list(await all).map(round), wanted.map(round), `allReduce ${op} ${dtype}(${n})`);
          const reduced = await one;
          equal(
            reduced && list(reduced).map(round),
            root === group.rank ? wanted.map(round) : null,
            `reduce ${op} ${dtype}(${n})`,
          );
        }
      }
  },

  async "every algorithm by its name"(group, { tensor, distributed }) {
    const everyone = upTo(group.size);
    for (const algorithm of distributed.ALGORITHMS?.allReduce ?? [{ name: "ring" }]) {
      if (algorithm.unfit?.({ size: group.size, places: everyone.map(() => ({ host: "here" })) })) continue;
      const y = await group.allReduce(tensor(values("float32", group.rank, 1037)), {
        algorithm: algorithm.name,
      });
      equal(list(y), combined("float32", "sum", everyone, 1037), algorithm.name);
    }
  },

  async "tensors are read where they lie, whatever their strides, and left as they are"(group, { tensor }) {
    const x = tensor(upTo(12).map((i) => i + group.rank)).reshape([3, 4]);
    const y = await group.allReduce(x.transpose());
    equal(y.shape, [4, 3], "shape");
    const sum = (i) => group.size * i + (group.size * (group.size - 1)) / 2;
    equal(list(y), list(tensor(upTo(12).map(sum)).reshape([3, 4]).transpose()), "transposed");
    equal(
      list(await group.allReduce(x.slice("1:2"))),
      upTo(4).map((i) => sum(i + 4)),
      "a slice",
    );
    equal(
      list(x),
      upTo(12).map((i) => i + group.rank),
      "the tensor itself",
    );
  },

  async "broadcast from each root"(group, { tensor }) {
    for (const root of upTo(group.size))
      for (const dtype of ["float32", "int64", "bool"]) {
        const mine = root === group.rank;
        const x = mine ? tensor(values(dtype, root, 37), { dtype }) : { shape: [37], dtype };
        equal(list(await group.broadcast(x, root)), values(dtype, root, 37), `from ${root}`);
      }
  },

  async "allGather and gather: parts of different sizes, along any axis"(group, { tensor }) {
    const { rank, size } = group;
    for (const axis of [0, 1, -1]) {
      const along = axis === 0 ? 0 : 1;
      const shape = along === 0 ? [rank, 3] : [3, rank];
      const x = tensor(upTo(3 * rank).map((i) => 100 * rank + i)).reshape(shape);
      const y = await group.allGather(x, { axis });
      const total = before(upTo(size), size);
      equal(y.shape, along === 0 ? [total, 3] : [3, total], `shape along ${axis}`);
      const wanted =
        along === 0
          ? upTo(size).flatMap((r) => upTo(3 * r).map((i) => 100 * r + i))
          : upTo(3).flatMap((row) => upTo(size).flatMap((r) => upTo(r).map((i) => 100 * r + row * r + i)));
      equal(list(y), wanted, `along ${axis}`);
    }
    for (const root of upTo(size)) {
      const y = await group.gather(tensor(values("int16", rank, rank + 1), { dtype: "int16" }), root);
      const wanted = upTo(size).flatMap((r) => values("int16", r, r + 1));
      equal(y && list(y), root === rank ? wanted : null, `gather on ${root}`);
    }
  },

  async "reduceScatter and scatter: parts as even as possible"(group, { tensor }) {
    const { rank, size } = group;
    const everyone = upTo(size);
    for (const n of [0, 1, 2 * size + 1]) {
      const counts = rows(n, size);
      const [from, to] = [2 * before(counts, rank), 2 * before(counts, rank + 1)];
      const x = tensor(values("float32", rank, 2 * n)).reshape([n, 2]);
      const y = await group.reduceScatter(x, { op: "max" });
      equal(y.shape, [counts[rank], 2], "shape");
      equal(list(y), combined("float32", "max", everyone, 2 * n).slice(from, to), `rows of ${n}`);
      const turned = await group.reduceScatter(x.transpose(), { axis: 1, op: "max" });
      equal(turned.shape, [2, counts[rank]], "shape along 1");
      equal(list(turned.transpose()), list(y), "along 1");
      const root = n % size;
      const part = await group.scatter(rank === root ? x : { shape: [n, 2], dtype: "float32" }, root);
      equal(list(part), values("float32", root, 2 * n).slice(from, to), `scatter of ${n}`);
    }
  },

  async "allToAll: even parts and given ones"(group, { tensor }) {
    const { rank, size } = group;
    const x = tensor(
      upTo(2 * size).map((i) => 100 * rank + i),
      { dtype: "int32" },
    );
    equal(
      list(await group.allToAll(x)),
      upTo(size).flatMap((r) => [100 * r + 2 * rank, 100 * r + 2 * rank + 1]),
      "even",
    );
    // member r sends r + to rows to member `to`
    const counts = upTo(size).map((to) => rank + to);
    const receive = upTo(size).map((from) => from + rank);
    const total = before(counts, size);
    const y = await group.allToAll(tensor(upTo(total).map((i) => 1000 * rank + i)), { counts, receive });
    const wanted = upTo(size).flatMap((from) => {
      const theirs = upTo(size).map((to) => from + to);
      return upTo(from + rank).map((i) => 1000 * from + before(theirs, rank) + i);
    });
    equal(list(y), wanted, "given");
  },

  async "scan, with and without one's own"(group, { tensor }) {
    const x = tensor(values("int32", group.rank, 5), { dtype: "int32" });
    equal(list(await group.scan(x)), combined("int32", "sum", upTo(group.rank + 1), 5), "inclusive");
    const wanted = group.rank === 0 ? [0, 0, 0, 0, 0] : combined("int32", "sum", upTo(group.rank), 5);
    equal(list(await group.scan(x, { exclusive: true })), wanted, "exclusive");
  },

  async "send and receive: tags, order, sizes from nothing to megabytes, to oneself"(
    group,
    { tensor, arange },
  ) {
    const { rank, size } = group;
    const [to, from] = [(rank + 1) % size, (rank + size - 1) % size];
    const like = (n) => ({ shape: [n], dtype: "float32" });
    const sizes = [0, 1, 100, 5000, 700_001];
    const sends = sizes.map((n, tag) => group.send(arange(n).cast("float32"), to, { tag }));
    for (const [tag, n] of [...sizes.entries()].reverse()) {
      const x = await group.receive(like(n), from, { tag });
      equal([x.size, n > 0 ? x.toTypedArray()[n - 1] : 0], [n, Math.max(0, n - 1)], `tag ${tag}`);
    }
    for (const work of sends) await work;
    const receives = upTo(20).map(() => group.receive(like(2), from));
    for (const i of upTo(20)) group.send(tensor([rank, i]), to).wait();
    for (const [i, work] of receives.entries()) equal(list(work.wait()), [from, i], "order");
    const own = group.receive(like(3), rank, { tag: 9 });
    group.send(tensor([1, 2, 3]), rank, { tag: 9 }).wait();
    equal(list(await own), [1, 2, 3], "to oneself");
    // a message of another type is told of, and the next one is right again
    const wrong = group.receive({ shape: [2], dtype: "int32" }, from, { tag: 7 });
    const short = group.receive(like(3), from, { tag: 7 });
    const right = group.receive(like(2), from, { tag: 7 });
    for (const _ of upTo(3)) await group.send(tensor([5, 6]), to, { tag: 7 });
    like2(await failure(() => wrong), "int32");
    like2(await failure(() => short), "float32");
    equal(list(await right), [5, 6], "after a wrong one");
    function like2(error, dtype) {
      const pattern = new RegExp(`receive ${dtype}.*rank ${from} sends float32\\(2,\\)`);
      if (!pattern.test(error.message)) throw new Error(`${error.message} instead of ${pattern}`);
    }
  },

  async "objects of any size"(group) {
    const { rank, size } = group;
    const of = (r) => ({
      rank: r,
      text: "ü".repeat(r * 1000),
      map: new Map([[r, [1n, null]]]),
      none: undefined,
    });
    const all = await group.allGatherObject(of(rank));
    equal(all.length, size, "how many");
    for (const r of upTo(size)) {
      equal([all[r].rank, all[r].text.length, String(all[r].map.get(r))], [r, r * 1000, "1,"], "object");
      const got = await group.broadcastObject(rank === r ? of(r) : null, r);
      equal([got.rank, got.text], [r, of(r).text], `from ${r}`);
    }
  },

  async "subgroups, beside each other and within each other"(group, { tensor }) {
    const { rank, size } = group;
    const x = tensor([rank + 1]);
    const sum = (ranks) => [ranks.reduce((a, r) => a + r + 1, 0)];
    const evens = upTo(size).filter((r) => r % 2 === 0);
    const sub = group.subgroup(evens);
    equal(sub === null, rank % 2 !== 0, "members");
    const backwards = group.subgroup(upTo(size).reverse());
    equal(backwards.rank, size - 1 - rank, "rank");
    equal(
      list(await backwards.allGather(x)),
      upTo(size)
        .reverse()
        .map((r) => r + 1),
      "order",
    );
    const work = group.allReduce(x);
    if (sub) {
      equal(list(sub.allReduce(x).wait()), sum(evens), "of some");
      equal(sub.ranks, evens, "ranks");
    }
    equal(list(await work), sum(upTo(size)), "of all meanwhile");
    const half = await group.split(rank % 2, -rank);
    const mine = upTo(size)
      .filter((r) => r % 2 === rank % 2)
      .reverse();
    equal([half.ranks, half.rank], [mine, mine.indexOf(rank)], "split");
    equal(list(await half.allReduce(x)), sum(mine), "half");
    const alone = await half.split(half.rank);
    equal(list(alone.allReduce(x).wait()), [rank + 1], "alone");
    for (const one of [alone, half, backwards, sub]) await one?.close();
  },

  async "many operations at once, ended in any order"(group, { tensor, ones }) {
    const works = upTo(40).map((i) =>
      group.allReduce(i % 8 === 0 ? ones([300_000]).mul(i) : tensor([group.rank * i])),
    );
    const ranks = (group.size * (group.size - 1)) / 2;
    for (const i of upTo(40).reverse()) {
      const y = i % 3 === 0 ? await works[i] : works[i].wait();
      equal(y.toTypedArray()[y.size - 1], i % 8 === 0 ? i * group.size : ranks * i, `operation ${i}`);
      equal(works[i].done, true, "done");
      equal(works[i].wait() === y, true, "the same result again");
    }
    equal(await group.barrier(), undefined, "barrier");
  },

  async "arguments that can't be are refused at once"(group, { tensor, grad }) {
    const x = tensor([1, 2]);
    const { size } = group;
    const refused = async (name, pattern, call) => like(await failure(call), name, pattern, String(call));
    await refused("ValueError", new RegExp(`rank ${size}: this group has ranks 0 to ${size - 1}`), () =>
      group.send(x, size),
    );
    await refused("ValueError", /rank -1/, () => group.broadcast(x, -1));
    await refused("ValueError", /op "median"; known: sum/, () => group.allReduce(x, { op: "median" }));
    await refused("DTypeError", /mean of int32/, () =>
      group.allReduce(tensor([1], { dtype: "int32" }), { op: "mean" }),
    );
    await refused("ShapeError", /scalar has no axis/, () => group.allGather(tensor(1)));
    await refused("ShapeError", /axis/, () => group.allGather(x, { axis: 1 }));
    await refused("ShapeError", /3 rows, given 2/, () =>
      group.allToAll(x, { counts: [3, ...upTo(size - 1).map(() => 0)], receive: upTo(size).map(() => 0) }),
    );
    await refused("ValueError", /tag -1/, () => group.send(x, 0, { tag: -1 }));
    await refused("ValueError", /different members/, () => group.subgroup([0, 0]));
    await refused("TransformError", /tracer/, () => grad((y) => group.allReduce(y).wait().sum())(x));
  },

  async "members that don't agree are told so, all of them"(group, { tensor, ones }) {
    const last = group.rank === group.size - 1;
    if (group.size === 1) return;
    const wrongs = {
      "another shape": [
        (g) => g.allReduce(ones([last ? 3 : 4])),
        /allReduce sum float32\(4,\).*allReduce sum float32\(3,\)|allReduce sum float32\(3,\).*allReduce sum float32\(4,\)/,
      ],
      "another dtype": [
        (g) => g.allReduce(tensor([1], { dtype: last ? "int32" : "float32" })),
        /int32.*float32|float32.*int32/,
      ],
      "another op": [(g) => g.allReduce(ones([2]), { op: last ? "max" : "sum" }), /max.*sum|sum.*max/],
      "another root": [(g) => g.broadcast(ones([2]), last ? 1 : 0), /from 0.*from 1|from 1.*from 0/],
      "another operation": [
        (g) => (last ? g.barrier() : g.allReduce(ones([2]))),
        /barrier.*allReduce|allReduce.*barrier/,
      ],
    };
    for (const [name, [call, pattern]] of Object.entries(wrongs)) {
      const own = group.subgroup(upTo(group.size), { timeout: 60_000 });
      const what = `${name} on rank ${group.rank}`;
      // who has done its part by then hears of it in its next operation
      const both = async () => {
        await call(own);
        await own.barrier();
      };
      like(await failure(both), "TransportError", pattern, what);
      // the group stays broken, and says why; closing it works
      like(await failure(() => own.barrier()), "TransportError", pattern, `${what}, later`);
      await own.close();
    }
    await group.barrier();
  },

  async "an operation that a member never calls ends with the time, and says who"(group) {
    if (group.size === 1) return;
    const missing = group.size - 1;
    const own = group.subgroup(upTo(group.size), { timeout: 300 });
    await group.barrier(); // all know the group
    if (group.rank !== missing) {
      const error = await failure(() => own.barrier().wait());
      like(
        error,
        "GroupTimeoutError",
        new RegExp(`barrier: not finished within 300 ms.*not called by rank (.*, )?${missing}`),
        "barrier",
      );
    }
    await group.barrier();
    await own.close();
    const pair = group.subgroup([0, 1], { timeout: 200 });
    await group.barrier();
    if (pair?.rank === 0) {
      const error = await failure(() => pair.receive({ shape: [1], dtype: "float32" }, 1));
      like(
        error,
        "GroupTimeoutError",
        /receive float32\(1,\): not finished within 200 ms: rank 1 .* has sent nothing/,
        "receive",
      );
    }
    await group.barrier();
    await pair?.close();
  },

  async "a member that leaves is missed by those who want something of it"(group, { ones }) {
    if (group.size === 1) return;
    const leaver = group.size - 1;
    const own = group.subgroup(upTo(group.size));
    const like1 = { shape: [1], dtype: "float32" };
    const early = group.rank === 0 ? own.receive(like1, leaver, { tag: 1 }) : null;
    const never = group.rank === 0 ? own.receive(like1, leaver, { tag: 2 }) : null;
    await own.barrier();
    if (group.rank === leaver) {
      await own.send(ones([1]), 0, { tag: 1 });
      await own.close();
    } else {
      if (early) equal(list(await early), [1], "what it sent before");
      const error = await failure(() => never ?? own.barrier());
      like(error, "PeerLostError", /rank \d+ is gone: it has left/, "after it left");
      await own.close();
    }
    await group.barrier();
  },
};

/**
 * Each case has a group of its own: one that fails leaves the others as they are.
 * @returns what went wrong, by case; on all members the same cases run
 */
export async function check(group, mlsys, names = Object.keys(cases)) {
  const failures = {};
  for (const name of names) {
    const own = group.subgroup(upTo(group.size));
    try {
      await cases[name](own, mlsys);
    } catch (error) {
      failures[name] = `${error.stack}`;
    }
    await own.close();
  }
  return failures;
}
