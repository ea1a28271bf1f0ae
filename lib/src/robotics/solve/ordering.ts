/**
 * Fill-reducing orders: in which order to eliminate the variables of a sparse symmetric system. Approximate minimum degree
 * on the quotient graph (Amestoy, Davis & Duff, "An approximate minimum degree ordering algorithm", 1996), with element
 * absorption and mass elimination, over blocks instead of single variables.
 */

/**
 * @param neighbours for each variable the others that it shares an entry with; both directions
 * @returns the variables, first to be eliminated first
 * @example robotics.solve.minimumDegree([new Set([1]), new Set([0, 2]), new Set([1])])[0] // 0
 */
export function minimumDegree(neighbours: readonly ReadonlySet<number>[]): Int32Array {
  const n = neighbours.length;
  const variables = neighbours.map((set) => Array.from(set)); // not yet eliminated, joined by an entry of the matrix
  const elements: number[][] = neighbours.map(() => []); // eliminated ones whose clique it is in
  const cliques: (number[] | null)[] = new Array(n).fill(null);
  const done = new Uint8Array(n);
  const degree = Int32Array.from(variables, (list) => list.length);
  const buckets = new Buckets(degree);
  const mark = new Int32Array(n).fill(-1);
  const outside = new Int32Array(n); // |clique of e \ clique of the pivot|
  const seen = new Int32Array(n).fill(-1);
  const order = new Int32Array(n);
  let count = 0;
  while (count < n) {
    const pivot = buckets.takeLeast();
    const step = count;
    order[count++] = pivot;
    done[pivot] = 1;
    const clique: number[] = [];
    mark[pivot] = step;
    const join = (i: number): void => {
      if (done[i] || mark[i] === step) return;
      mark[i] = step;
      clique.push(i);
    };
    for (const i of variables[pivot]) join(i);
    for (const e of elements[pivot]) {
      for (const i of cliques[e] ?? []) join(i);
      cliques[e] = null; // absorbed
    }
    // for each other element: how much of it lies outside the new clique
    for (const i of clique) {
      for (const e of elements[i]) {
        const members = cliques[e];
        if (!members) continue;
        if (seen[e] !== step) {
          seen[e] = step;
          const alive = members.filter((j) => !done[j]);
          cliques[e] = alive;
          outside[e] = alive.length;
        }
        outside[e]--;
      }
    }
    const kept: number[] = [];
    for (const i of clique) {
      variables[i] = variables[i].filter((j) => !done[j] && mark[j] !== step);
      elements[i] = elements[i].filter((e) => cliques[e] && outside[e] > 0);
      if (variables[i].length === 0 && elements[i].length === 0) {
        // nothing beyond this clique: eliminating it now adds no fill
        order[count++] = i;
        done[i] = 1;
        buckets.remove(i);
      } else kept.push(i);
    }
    cliques[pivot] = kept;
    for (const i of kept) {
      let beyond = variables[i].length;
      for (const e of elements[i]) beyond += outside[e];
      elements[i].push(pivot);
      buckets.move(i, Math.min(n - count, degree[i] + kept.length - 1, beyond + kept.length - 1));
    }
    variables[pivot] = [];
    elements[pivot] = [];
  }
  return order;
}

/** Variables by degree, in linked lists. */
class Buckets {
  private readonly head: Int32Array;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private least = 0;

  constructor(private readonly degree: Int32Array) {
    const n = degree.length;
    this.head = new Int32Array(n + 1).fill(-1);
    this.next = new Int32Array(n).fill(-1);
    this.previous = new Int32Array(n).fill(-1);
    for (let i = n - 1; i >= 0; i--) this.insert(i);
  }

  takeLeast(): number {
    while (this.head[this.least] < 0) this.least++;
    const i = this.head[this.least];
    this.remove(i);
    return i;
  }

  move(i: number, degree: number): void {
    this.remove(i);
    this.degree[i] = Math.max(0, degree);
    this.insert(i);
    this.least = Math.min(this.least, this.degree[i]);
  }

  remove(i: number): void {
    const { head, next, previous, degree } = this;
    if (previous[i] >= 0) next[previous[i]] = next[i];
    else head[degree[i]] = next[i];
    if (next[i] >= 0) previous[next[i]] = previous[i];
  }

  private insert(i: number): void {
    const { head, next, previous, degree } = this;
    const first = head[degree[i]];
    next[i] = first;
    previous[i] = -1;
    if (first >= 0) previous[first] = i;
    head[degree[i]] = i;
  }
}
