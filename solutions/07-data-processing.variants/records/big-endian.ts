// expect: wrong 1/9
// fails: cut, and an index that points past the end | one bit changed: that record and no other | random files, written and read | repair: files cut anywhere, changed anywhere | three records, byte by byte | two reads and the head, not the file | what is not there
// why: writes and reads the other byte order
/** The file of these records. */
function writeRecords(records: Uint8Array[]): Uint8Array {
  const start = 8 + 12 * records.length;
  const out = new Uint8Array(start + records.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(out.buffer);
  view.setUint32(0, records.length, false);
  let at = start;
  for (const [i, record] of records.entries()) {
    view.setUint32(8 + 12 * i, at, false);
    view.setUint32(12 + 12 * i, record.length, false);
    view.setUint32(16 + 12 * i, crc32(record), false);
    out.set(record, at);
    at += record.length;
  }
  view.setUint32(4, crc32(out.subarray(8, start)), false);
  return out;
}

/** Record i. */
function recordAt(disk: Disk, i: number): Uint8Array {
  const read = (at: number, length: number): Uint8Array => {
    if (at + length > disk.size) throw new Error("the file is cut");
    return disk.read(at, length);
  };
  const numbers = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = numbers(read(0, 8)).getUint32(0, false);
  if (!Number.isInteger(i) || i < 0 || i >= count) throw new Error(`no record ${i}`);
  const entry = numbers(read(8 + 12 * i, 12));
  const record = read(entry.getUint32(0, false), entry.getUint32(4, false));
  if (crc32(record) !== entry.getUint32(8, false)) throw new Error(`record ${i} is damaged`);
  return record;
}

/** Positions of the records that are whole. */
function repair(bytes: Uint8Array): number[] {
  if (bytes.length < 8) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, false);
  const end = 8 + 12 * count;
  if (bytes.length < end || crc32(bytes.subarray(8, end)) !== view.getUint32(4, false)) return [];
  const whole: number[] = [];
  for (let i = 0; i < count; i++) {
    const [at, length, sum] = [8, 12, 16].map((byte) => view.getUint32(byte + 12 * i, false));
    if (at + length <= bytes.length && crc32(bytes.subarray(at, at + length)) === sum) whole.push(i);
  }
  return whole;
}
