// expect: correct
// why: with Buffer, and arrays of 32-bit numbers
function writeRecords(records: Uint8Array[]): Uint8Array {
  const index = Buffer.alloc(12 * records.length);
  let offset = 8 + index.length;
  for (let i = 0; i < records.length; i++) {
    index.writeUInt32LE(offset, 12 * i);
    index.writeUInt32LE(records[i].length, 12 * i + 4);
    index.writeUInt32LE(crc32(records[i]), 12 * i + 8);
    offset += records[i].length;
  }
  const head = Buffer.alloc(8);
  head.writeUInt32LE(records.length);
  head.writeUInt32LE(crc32(index), 4);
  return Uint8Array.from(Buffer.concat([head, index, ...records]));
}

function recordAt(disk: Disk, i: number): Uint8Array {
  const numbers = (at: number, count: number): number[] => {
    if (disk.size < at + 4 * count) throw new Error("cut");
    const bytes = Buffer.from(disk.read(at, 4 * count));
    return Array.from({ length: count }, (_, k) => bytes.readUInt32LE(4 * k));
  };
  const [count] = numbers(0, 1);
  if (!(i >= 0 && i < count && i % 1 === 0)) throw new Error("no record there");
  const [at, length, sum] = numbers(8 + 12 * i, 3);
  if (disk.size < at + length) throw new Error("cut");
  const bytes = disk.read(at, length);
  if (crc32(bytes) === sum) return bytes;
  throw new Error("damaged");
}

function repair(bytes: Uint8Array): number[] {
  const buffer = Buffer.from(bytes);
  try {
    const count = buffer.readUInt32LE(0);
    const index = buffer.subarray(8, 8 + 12 * count);
    if (index.length !== 12 * count || crc32(index) !== buffer.readUInt32LE(4)) return [];
    return [...Array(count).keys()].filter((i) => {
      const [at, length, sum] = [0, 4, 8].map((o) => index.readUInt32LE(12 * i + o));
      const record = buffer.subarray(at, at + length);
      return record.length === length && at <= buffer.length && crc32(record) === sum;
    });
  } catch {
    return [];
  }
}
