/** Vocabularies of BERT: vocab.txt, a token a line, and tokenizer.json of Hugging Face's tokenizers. */
import { readFile, writeFile } from "node:fs/promises";
import { ValueError } from "../../../core/errors.js";
import type { BasicOptions } from "./basic.js";
import { type BertModel, BertTokenizer } from "./bert.js";

/**
 * The tokenizer of a vocab.txt's text.
 * @example data.bertFromVocabulary("[UNK]\n[CLS]\n[SEP]\nsea\n##s").encode("Seas").tokens // ["[CLS]", "sea", "##s", "[SEP]"]
 * @throws ValueError if a token is there twice
 */
export function bertFromVocabulary(text: string, options: Omit<BertModel, "vocabulary"> = {}): BertTokenizer {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  if (lines.at(-1) === "") lines.pop();
  const vocabulary = new Map<string, number>();
  for (const [id, token] of lines.entries()) {
    if (vocabulary.has(token))
      throw new ValueError(
        `BERT: token ${JSON.stringify(token)} is on lines ${(vocabulary.get(token) as number) + 1} and ${id + 1}`,
      );
    vocabulary.set(token, id);
  }
  return new BertTokenizer({ ...options, vocabulary });
}

interface Part {
  readonly type?: string;
  readonly [key: string]: unknown;
}

/**
 * A BERT tokenizer from the text of a tokenizer.json.
 * @example
 * const made = data.bertFromVocabulary("[UNK]\n[CLS]\n[SEP]\nsea");
 * data.bertFromJson(data.bertToJson(made)).encode("sea").ids // [1, 3, 2]
 * @throws ValueError naming the part that is not there, or that is not BERT's
 */
export function bertFromJson(text: string, name = "tokenizer.json"): BertTokenizer {
  let json: Record<string, unknown>;
  try {
    json = (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch (cause) {
    throw new ValueError(`${name} is no JSON: ${(cause as Error).message}`, { cause });
  }
  const wrong = (part: string, found: unknown, wanted: string): ValueError =>
    new ValueError(`${name}: ${part} is ${JSON.stringify(found)?.slice(0, 80)}; wanted ${wanted}`);
  const [model, normalizer, pre, post] = ["model", "normalizer", "pre_tokenizer", "post_processor"].map(
    (key) => (json[key] ?? {}) as Part,
  );
  if (model.type !== "WordPiece") throw wrong("model.type", model.type, '"WordPiece"');
  if (normalizer.type !== "BertNormalizer")
    throw wrong("normalizer.type", normalizer.type, '"BertNormalizer"');
  if (pre.type !== "BertPreTokenizer") throw wrong("pre_tokenizer.type", pre.type, '"BertPreTokenizer"');
  if (post.type !== undefined && post.type !== "BertProcessing" && post.type !== "TemplateProcessing")
    throw wrong("post_processor.type", post.type, '"BertProcessing", "TemplateProcessing" or none');
  if (typeof model.vocab !== "object" || model.vocab === null || Array.isArray(model.vocab))
    throw wrong("model.vocab", model.vocab, "ids by token");
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(model.vocab as Record<string, unknown>)) {
    if (!Number.isInteger(id)) throw wrong(`model.vocab[${JSON.stringify(token)}]`, id, "a whole number");
    vocabulary.set(token, id as number);
  }
  const special: string[] = [];
  const added = json.added_tokens ?? [];
  if (!Array.isArray(added)) throw wrong("added_tokens", added, "a list");
  for (const token of added as Record<string, unknown>[]) {
    const { content, id } = token ?? {};
    if (typeof content !== "string" || !Number.isInteger(id))
      throw wrong("an added token", token, "{ id, content }");
    if (token.lstrip || token.rstrip || token.single_word || token.normalized)
      throw wrong(`the added token ${content}`, token, "no lstrip, rstrip, single_word, normalized");
    const held = vocabulary.get(content);
    if (held !== undefined && held !== id) throw wrong(`the id of ${content}`, id, String(held));
    vocabulary.set(content, id as number);
    special.push(content);
  }
  const lowercase = normalizer.lowercase !== false;
  return new BertTokenizer({
    vocabulary,
    special,
    prefix: String(model.continuing_subword_prefix ?? "##"),
    maxWordLength: Number(model.max_input_chars_per_word ?? 100),
    unknown: String(model.unk_token ?? "[UNK]"),
    lowercase,
    stripAccents: (normalizer.strip_accents as boolean | null | undefined) ?? lowercase,
    chinese: normalizer.handle_chinese_chars !== false,
    clean: normalizer.clean_text !== false,
  });
}

/** A BERT tokenizer as tokenizer.json. @example JSON.parse(data.bertToJson(data.bertFromVocabulary("[UNK]"))).model.type // "WordPiece" */
export function bertToJson(tokenizer: BertTokenizer): string {
  const { vocabulary, prefix = "##", maxWordLength = 100, unknown = "[UNK]", ...basic } = tokenizer.model;
  const { lowercase = true, stripAccents, chinese = true, clean = true }: BasicOptions = basic;
  const [cls, sep] = ["[CLS]", "[SEP]"].map((token) => [token, vocabulary.get(token)]);
  return JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: tokenizer.special.map((content) => ({
      id: vocabulary.get(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: clean,
      handle_chinese_chars: chinese,
      strip_accents: stripAccents ?? null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor:
      cls[1] === undefined || sep[1] === undefined ? null : { type: "BertProcessing", sep, cls },
    decoder: { type: "WordPiece", prefix, cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: unknown,
      continuing_subword_prefix: prefix,
      max_input_chars_per_word: maxWordLength,
      vocab: Object.fromEntries(vocabulary),
    },
  });
}

/** Reads a tokenizer.json, or a vocab.txt. @example await data.saveBert("bert.json", data.bertFromVocabulary("[UNK]\nsea")); (await data.loadBert("bert.json")).vocabSize // 2 */
export async function loadBert(
  path: string,
  options: Omit<BertModel, "vocabulary"> = {},
): Promise<BertTokenizer> {
  const text = await readFile(path, "utf8");
  return /^\s*\{/.test(text) ? bertFromJson(text, path) : bertFromVocabulary(text, options);
}

/** Writes a tokenizer.json. @example await data.saveBert("bert.json", data.bertFromVocabulary("[UNK]\nsea")) */
export async function saveBert(path: string, tokenizer: BertTokenizer): Promise<void> {
  await writeFile(path, bertToJson(tokenizer));
}
