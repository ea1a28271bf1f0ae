/** tokenizer.json, the file of Hugging Face's tokenizers: byte-level BPE is read and written. */
import { readFile, writeFile } from "node:fs/promises";
import { ValueError } from "../../../core/errors.js";
import { BpeTokenizer, type Normalization } from "./tokenizer.js";

interface Part {
  readonly type?: string;
  readonly [key: string]: unknown;
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly single_word?: boolean;
}

interface TokenizerJson {
  readonly added_tokens?: readonly AddedToken[];
  readonly normalizer?: Part | null;
  readonly pre_tokenizer?: Part | null;
  readonly post_processor?: Part | null;
  readonly model?: Part;
}

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

/**
 * A tokenizer as tokenizer.json, for Hugging Face's libraries.
 * @example JSON.parse(data.tokenizerToJson(data.trainBpe(["aa aa"], { vocabSize: 257 }))).model.type // "BPE"
 */
export function tokenizerToJson({ model }: BpeTokenizer): string {
  const {
    vocabulary,
    merges,
    special = [],
    addPrefixSpace = false,
    ignoreMerges = false,
    normalize = [],
  } = model;
  const forms = normalize.map((type) => ({ type }));
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({
      id: vocabulary.get(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: forms.length === 0 ? null : { type: "Sequence", normalizers: forms },
    pre_tokenizer: { ...BYTE_LEVEL, add_prefix_space: addPrefixSpace },
    post_processor: null,
    decoder: { ...BYTE_LEVEL, add_prefix_space: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
  };
  return JSON.stringify(json, null, 1);
}

/**
 * A tokenizer from the text of a tokenizer.json.
 * @example
 * const learned = data.trainBpe(["to be or not to be"], { vocabSize: 260 });
 * data.tokenizerFromJson(data.tokenizerToJson(learned)).decode(learned.encode("not to be")) // "not to be"
 * @throws ValueError naming the part that is not there, or that is no byte-level BPE.
 */
export function tokenizerFromJson(text: string, name = "tokenizer.json"): BpeTokenizer {
  let json: TokenizerJson;
  try {
    json = (JSON.parse(text) ?? {}) as TokenizerJson;
  } catch (cause) {
    throw new ValueError(`${name} is no JSON: ${(cause as Error).message}`, { cause });
  }
  const wrong = (part: string, found: unknown, wanted: string): ValueError =>
    new ValueError(`${name}: ${part} is ${JSON.stringify(found)?.slice(0, 80)}; wanted ${wanted}`);
  const { model, pre_tokenizer: pre, post_processor: post, added_tokens: added = [] } = json;
  if (model?.type !== "BPE") throw wrong("model.type", model?.type, '"BPE"');
  for (const key of ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
    if (model[key] != null && model[key] !== "") throw wrong(`model.${key}`, model[key], "null");
  if (model.byte_fallback) throw wrong("model.byte_fallback", true, "false");
  if (pre?.type !== "ByteLevel" || pre.use_regex === false)
    throw wrong("pre_tokenizer", pre, '{ type: "ByteLevel", use_regex: true }');
  if (post && post.type !== "ByteLevel") throw wrong("post_processor.type", post.type, "none");
  if (!Array.isArray(added)) throw wrong("added_tokens", added, "a list");
  const vocabulary = vocabularyOf(model.vocab, wrong);
  for (const token of added as readonly AddedToken[]) {
    if (typeof token?.content !== "string" || typeof token.id !== "number")
      throw wrong("an added token", token, "{ id, content }");
    if (token.lstrip || token.rstrip || token.single_word)
      throw wrong(`the added token ${token.content}`, token, "no lstrip, rstrip, single_word");
    const held = vocabulary.get(token.content);
    if (held !== undefined && held !== token.id)
      throw wrong(`the id of ${token.content}`, token.id, String(held));
    vocabulary.set(token.content, token.id);
  }
  return new BpeTokenizer({
    vocabulary,
    merges: mergesOf(model.merges, wrong),
    special: added.map(({ content }) => content),
    addPrefixSpace: pre.add_prefix_space === true,
    ignoreMerges: model.ignore_merges === true,
    normalize: normalizations(json.normalizer ?? null, wrong),
  });
}

type Wrong = (part: string, found: unknown, wanted: string) => ValueError;

function vocabularyOf(vocab: unknown, wrong: Wrong): Map<string, number> {
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab))
    throw wrong("model.vocab", vocab, "ids by token");
  const entries = Object.entries(vocab as Record<string, unknown>);
  const bad = entries.find(([, id]) => !Number.isInteger(id));
  if (bad) throw wrong(`model.vocab[${JSON.stringify(bad[0])}]`, bad[1], "a whole number");
  return new Map(entries as [string, number][]);
}

/** Pairs, or (older files) texts with a space in the middle. */
function mergesOf(merges: unknown, wrong: Wrong): [string, string][] {
  if (!Array.isArray(merges)) throw wrong("model.merges", merges, "a list");
  return merges.map((merge: unknown, i) => {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((part) => typeof part === "string"))
      throw wrong(`model.merges[${i}]`, merge, "a pair of tokens");
    return pair as [string, string];
  });
}

const FORMS: readonly string[] = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase"];

function normalizations(part: Part | null, wrong: Wrong): Normalization[] {
  if (part === null) return [];
  if (part.type === "Sequence" && Array.isArray(part.normalizers))
    return (part.normalizers as Part[]).flatMap((one) => normalizations(one, wrong));
  if (!FORMS.includes(part.type ?? "")) throw wrong("normalizer.type", part.type, FORMS.join(", "));
  return [part.type as Normalization];
}

/** Reads a tokenizer.json. @example await data.saveTokenizer("t.json", data.trainBpe([], { vocabSize: 256 })); (await data.loadTokenizer("t.json")).vocabSize // 256 */
export async function loadTokenizer(path: string): Promise<BpeTokenizer> {
  return tokenizerFromJson(await readFile(path, "utf8"), path);
}

/** Writes a tokenizer.json. @example await data.saveTokenizer("tokenizer.json", data.trainBpe(["a b"], { vocabSize: 256 })) */
export async function saveTokenizer(path: string, tokenizer: BpeTokenizer): Promise<void> {
  await writeFile(path, tokenizerToJson(tokenizer));
}
