/** Pages are checked when first touched; what was checked is remembered, so that random reads don't pay again. */
import { ValueError } from "../../../core/errors.js";
import type { ByteFile } from "../bytes/byte-file.js";
import { crc32c } from "../bytes/crc32c.js";
import { type GroupHead, pagesOf } from "./format.js";

/** When checksums of pages are computed: at the first read of a page, at each read, or never. */
export type Verify = "once" | "always" | "never";

type Area = "scalar" | "blob";

const areaOf = (head: GroupHead, area: Area): { at: number; bytes: number } =>
  area === "scalar"
    ? { at: head.scalarAt, bytes: head.scalarBytes }
    : { at: head.blobAt, bytes: head.blobBytes };

/** Reads parts of a group's areas. */
export class GroupPages {
  private readonly checked: Uint8Array;
  private readonly scalarPages: number;
  private unchecked: number;

  constructor(
    private readonly file: ByteFile,
    readonly head: GroupHead,
    private readonly pageBytes: number,
    private readonly verify: Verify,
  ) {
    this.checked = new Uint8Array(head.pageSums.length);
    this.unchecked = head.pageSums.length;
    this.scalarPages = pagesOf(head.scalarBytes, pageBytes);
  }

  /** `length` bytes of an area into `into`. @throws ValueError for a page whose checksum is wrong */
  readInto(into: Uint8Array, area: Area, offset: number, length: number): void {
    const { at } = areaOf(this.head, area);
    if (length === 0) return;
    if (this.verify === "always" || (this.verify === "once" && this.unchecked > 0))
      this.check(area, offset, length);
    this.file.readInto(into, at + offset, length);
  }

  /** A whole area into `into`; what was read is what was checked. */
  readArea(into: Uint8Array, area: Area): void {
    const { at, bytes } = areaOf(this.head, area);
    this.file.readInto(into, at, bytes);
    if (this.verify === "never") return;
    for (let page = 0; page < pagesOf(bytes, this.pageBytes); page++) {
      if (this.verify === "once" && this.checked[this.index(area, page)]) continue;
      const [from, to] = [page * this.pageBytes, Math.min((page + 1) * this.pageBytes, bytes)];
      this.compare(area, page, into.subarray(from, to));
    }
  }

  private index(area: Area, page: number): number {
    return area === "scalar" ? page : this.scalarPages + page;
  }

  private check(area: Area, offset: number, length: number): void {
    const { at, bytes } = areaOf(this.head, area);
    const last = Math.floor((offset + length - 1) / this.pageBytes);
    for (let page = Math.floor(offset / this.pageBytes); page <= last; page++) {
      if (this.verify === "once" && this.checked[this.index(area, page)]) continue;
      const from = page * this.pageBytes;
      const size = Math.min(this.pageBytes, bytes - from);
      this.compare(area, page, this.file.read(at + from, size));
    }
  }

  private compare(area: Area, page: number, bytes: Uint8Array): void {
    const index = this.index(area, page);
    if (crc32c(bytes) !== this.head.pageSums[index])
      throw new ValueError(
        `${this.file.name}: ${area} page ${page} of the row group at byte ${this.head.offset} (rows ${this.head.firstRow} to ${this.head.firstRow + this.head.rows - 1}) is damaged: its checksum is wrong`,
      );
    if (!this.checked[index]) {
      this.checked[index] = 1;
      this.unchecked--;
    }
  }
}

/** The first damaged page of a group, in words; `null` if all are whole. */
export function pageFault(file: ByteFile, head: GroupHead, pageBytes: number): string | null {
  let sum = 0;
  for (const area of ["scalar", "blob"] as const) {
    const { at, bytes } = areaOf(head, area);
    for (let from = 0; from < bytes; from += pageBytes) {
      const page = file.read(at + from, Math.min(pageBytes, bytes - from));
      if (crc32c(page) !== head.pageSums[sum++])
        return `a damaged ${area} page ${from / pageBytes} (checksum)`;
    }
  }
  return null;
}
