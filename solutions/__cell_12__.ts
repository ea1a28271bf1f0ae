import { Mode, ParameterServer } from "./__cell_11__"; import { everyThread } from "./__cell_1__"; 
type Request = ["push", worker: number, iteration: number, ...gradient: number[]] | ["pull", worker: number, iteration: number];

/** What a new server answers. */
function served(value: number[], workers: number, rate: number, mode: Mode, requests: Request[]): unknown[] {
  const start = Float64Array.from(value);
  const server = new ParameterServer(start, workers, rate, mode);
  const answers = requests.map(([what, worker, iteration, ...gradient]) => {
    if (what === "push") return server.push(worker, iteration, Float64Array.from(gradient));
    const pulled = server.pull(worker, iteration);
    const copy = pulled && [...pulled];
    pulled?.fill(Number.NaN); // whoever pulls may do with it what he likes
    return copy;
  });
  if (start.some((x, i) => x !== value[i])) throw new Error("the value that the server was given has changed");
  return answers;
}

/**
 * Workers on threads train on a server that rank 0 holds, each for so many iterations: the gradient of worker w is the value
 * minus `targets[w]`. Every second push is sent twice. Gives the server's value in the end.
 */
async function servedByThreads(targets: number[], iterations: number, rate: number, mode: Mode): Promise<number> {
  const inputs = [Number.NaN, ...targets];
  const [last] = await everyThread(inputs, async (comm, target: number): Promise<number> => {
    const workers = comm.size - 1;
    if (comm.rank > 0) {
      for (let i = 0; i < iterations; i++) {
        await comm.send(0, Float64Array.of(0, i, 0));
        const [value] = await comm.receive(0, 1);
        for (let again = 0; again <= i % 2; again++) await comm.send(0, Float64Array.of(1, i, value - target));
      }
      await comm.send(0, Float64Array.of(2, 0, 0));
      return Number.NaN;
    }
    const server = new ParameterServer(Float64Array.of(0), workers, rate, mode);
    const waiting: (() => void)[] = [];
    await Promise.all(
      Array.from({ length: workers }, async (_, w) => {
        for (;;) {
          const [what, iteration, gradient] = await comm.receive(w + 1, 3);
          if (what === 2) return;
          if (what === 1) {
            server.push(w, iteration, Float64Array.of(gradient));
            for (const wake of waiting.splice(0)) wake();
            continue;
          }
          let pulled = server.pull(w, iteration);
          for (; pulled === null; pulled = server.pull(w, iteration)) await new Promise<void>((wake) => waiting.push(wake));
          await comm.send(w + 1, pulled);
        }
      }),
    );
    return server.pull(0, iterations)?.[0] ?? Number.NaN;
  });
  return last;
}
export { Request, served, servedByThreads };
