/** Text one chunk after the other, from bytes in some encoding. */
import { ValueError } from "../../../core/errors.js";
import { type ByteSource, byteChunks, type Compression, sourceName } from "./byte-stream.js";

export interface TextOptions {
  /** Default "auto": gzip by its mark. */
  readonly compression?: Compression;
  /** A label of the Encoding standard, as "latin1". Default "utf-8"; its byte order mark is dropped. */
  readonly encoding?: string;
}

/** Chunks of a source's text. @throws ValueError if the bytes are not of this encoding, or there is none of that name */
export async function* textChunks(
  source: ByteSource,
  { compression, encoding = "utf-8" }: TextOptions,
): AsyncGenerator<string> {
  const name = sourceName(source);
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(encoding, { fatal: true });
  } catch {
    throw new ValueError(`${name}: unknown encoding ${JSON.stringify(encoding)}`);
  }
  let at = 0;
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      const where = bytes ? `bytes ${at} to ${at + bytes.length}` : `its end, byte ${at}`;
      throw new ValueError(`${name}: is not ${encoding}, at ${where}`, { cause });
    }
  };
  for await (const chunk of byteChunks(source, compression)) {
    const text = decode(chunk);
    at += chunk.length;
    if (text !== "") yield text;
  }
  const rest = decode();
  if (rest !== "") yield rest;
}
