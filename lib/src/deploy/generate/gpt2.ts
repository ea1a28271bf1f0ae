/** Names of weights in GPT-2 files (Hugging Face's transformers), and where they go in nn.CausalLM. Shapes are the same. */
const PARTS: ReadonlyMap<string, string> = new Map([
  ["ln_1", "attentionNorm"],
  ["attn.c_attn", "joined"],
  ["attn.c_proj", "output"],
  ["ln_2", "networkNorm"],
  ["mlp.c_fc", "wide"],
  ["mlp.c_proj", "narrow"],
]);
const OUTSIDE: ReadonlyMap<string, string> = new Map([
  ["wte.weight", "tokens.weight"],
  ["wpe.weight", "positions.weight"],
  ["ln_f.weight", "norm.weight"],
  ["ln_f.bias", "norm.bias"],
]);
/** The head is the embedding of the tokens; masks follow from the sizes. */
const LEFT_OUT = /^lm_head\.weight$|\.attn\.(?:masked_)?bias$/;

/**
 * The path in `nn.CausalLM` of a name in a GPT-2 file, `null` for what it holds besides; names that are none of GPT-2's stay as
 * they are, and loading complains of them.
 * @example deploy.gpt2Name("transformer.h.3.attn.c_attn.weight") // "blocks.3.joined.weight"
 */
export function gpt2Name(name: string): string | null {
  if (LEFT_OUT.test(name)) return null;
  const short = name.replace(/^transformer\./, "");
  const [, block, inner, kind] = /^h\.(\d+)\.(.+)\.(weight|bias)$/.exec(short) ?? [];
  const part = PARTS.get(inner);
  return part ? `blocks.${block}.${part}.${kind}` : (OUTSIDE.get(short) ?? name);
}
