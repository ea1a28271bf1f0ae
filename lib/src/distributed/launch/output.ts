/** What ranks print, line by line, each behind its rank's number. */

export class OutputLines {
  /** Begun lines, by rank and stream. */
  private readonly begun = new Map<string, string>();

  constructor(private readonly onLine?: (rank: number, line: string, stream: "stdout" | "stderr") => void) {}

  add(rank: number, text: string, stream: "stdout" | "stderr"): void {
    const key = `${rank} ${stream}`;
    const lines = `${this.begun.get(key) ?? ""}${text}`.split("\n");
    this.begun.set(key, lines.pop() as string);
    for (const line of lines) this.show(rank, line, stream);
  }

  /** Shows lines that were begun, too. */
  flush(): void {
    for (const [key, line] of this.begun) {
      const [rank, stream] = key.split(" ");
      if (line !== "") this.show(Number(rank), line, stream as "stdout" | "stderr");
    }
    this.begun.clear();
  }

  private show(rank: number, line: string, stream: "stdout" | "stderr"): void {
    if (this.onLine) this.onLine(rank, line, stream);
    else process[stream].write(`[${rank}] ${line}\n`);
  }
}
