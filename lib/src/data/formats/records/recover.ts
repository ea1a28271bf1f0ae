/** Finds the whole row groups of a record file that has no footer: its writer was killed, or the file was cut or damaged. */
import type { ByteFile } from "../bytes/byte-file.js";
import { type Directory, type FileHeader, type GroupHead, readGroupHead } from "./format.js";
import { pageFault } from "./pages.js";
import type { RowCodec } from "./row-codec.js";
import { tallies } from "./statistics.js";

/** What was found in a file that was not closed. */
export interface Recovery {
  /** Why the file counts as cut, and where its whole groups end. */
  readonly reason: string;
  /** Rows that can be read. */
  readonly rows: number;
  /** Bytes behind the last whole group: of a group that was being written. */
  readonly lostBytes: number;
}

export interface Recovered {
  readonly directory: Directory;
  readonly heads: readonly GroupHead[];
  /** First byte behind the last whole group. */
  readonly end: number;
  readonly recovery: Recovery;
}

/** Reads every page of every group from the header on, up to the first that is not whole. */
export function recover(
  file: ByteFile,
  header: FileHeader,
  headerBytes: number,
  codec: RowCodec,
  fault: string,
): Recovered {
  const heads: GroupHead[] = [];
  const statistics = tallies(header.schema);
  let [end, rows] = [headerBytes, 0];
  let reason = fault;
  while (end < file.size) {
    try {
      const head = readGroupHead(file, end, header, codec.width);
      const damaged = head.firstRow === rows ? pageFault(file, head, header.pageBytes) : "a gap before it";
      if (damaged) {
        reason += `; the row group at byte ${end} has ${damaged}`;
        break;
      }
      heads.push(head);
      for (const [i, tally] of statistics.entries()) tally.addAll(head.statistics[i]);
      rows += head.rows;
      end = head.end;
    } catch (error) {
      reason += `; ${(error as Error).message.slice(file.name.length + 2)}`;
      break;
    }
  }
  const directory = { offsets: heads.map((h) => h.offset), rows: heads.map((h) => h.rows), statistics };
  return { directory, heads, end, recovery: { reason, rows, lostBytes: file.size - end } };
}
