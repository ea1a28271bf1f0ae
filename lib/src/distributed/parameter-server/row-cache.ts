/** Hot rows that a client keeps for some steps: at most so stale, and no more than so many. */
export class RowCache {
  private readonly tables = new Map<
    string,
    Map<number, { readonly row: Float32Array; readonly at: number }>
  >();
  hits = 0;
  misses = 0;

  constructor(
    /** Steps for which a row may be used. */
    private readonly staleness: number,
    private readonly most = 65_536,
  ) {}

  /** @param step the present one */
  get(table: string, id: number, step: number): Float32Array | undefined {
    const found = this.tables.get(table)?.get(id);
    const fresh = found && step - found.at <= this.staleness ? found.row : undefined;
    if (fresh) this.hits++;
    else this.misses++;
    return fresh;
  }

  put(table: string, id: number, row: Float32Array, step: number): void {
    const rows = this.tables.get(table) ?? new Map<number, { row: Float32Array; at: number }>();
    this.tables.set(table, rows);
    rows.delete(id); // to the end of the order
    rows.set(id, { row: row.slice(), at: step });
    if (rows.size > this.most) rows.delete(rows.keys().next().value as number);
  }
}
