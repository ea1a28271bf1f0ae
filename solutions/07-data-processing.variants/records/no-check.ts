// expect: wrong 6/9
// fails: one bit changed: that record and no other | repair: files cut anywhere, changed anywhere
// why: compares no checksum of records
/** The file of these records. */
function writeRecords(records: Uint8Array[]): Uint8Array {
  const start = 8 + 12 * records.length;
  const out = new Uint8Array(start + records.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(out.buffer);
  view.setUint32(0, records.length, true);
  let at = start;
  for (const [i, record] of records.entries()) {
    view.setUint32(8 + 12 * i, at, true);
    view.setUint32(12 + 12 * i, record.length, true);
    view.setUint32(16 + 12 * i, crc32(record), true);
    out.set(record, at);
    at += record.length;
  }
  view.setUint32(4, crc32(out.subarray(8, start)), true);
  return out;
}

/** Record i. */
function recordAt(disk: Disk, i: number): Uint8Array {
  const read = (at: number, length: number): Uint8Array => {
    if (at + length > disk.size) throw new Error("the file is cut");
    return disk.read(at, length);
  };
  const numbers = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = numbers(read(0, 8)).getUint32(0, true);
  if (!Number.isInteger(i) || i < 0 || i >= count) throw new Error(`no record ${i}`);
  const entry = numbers(read(8 + 12 * i, 12));
  const record = read(entry.getUint32(0, true), entry.getUint32(4, true));
  return record;
}

/** Positions of the records that are whole. */
function repair(bytes: Uint8Array): number[] {
  if (bytes.length < 8) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  const end = 8 + 12 * count;
  if (bytes.length < end || crc32(bytes.subarray(8, end)) !== view.getUint32(4, true)) return [];
  const whole: number[] = [];
  for (let i = 0; i < count; i++) {
    const [at, length, sum] = [8, 12, 16].map((byte) => view.getUint32(byte + 12 * i, true));
    if (at + length <= bytes.length && sum >= 0) whole.push(i);
  }
  return whole;
}
