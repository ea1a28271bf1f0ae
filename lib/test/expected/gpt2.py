"""A GPT-2 of random weights as Hugging Face's transformers runs it: logits, greedy continuations with and without a
repetition penalty, and which tokens top-k and top-p leave. What the tests of nn.CausalLM and deploy.GenerationEngine
compare with.

Made once with PyTorch 2.13 and transformers 5.24 on the CPU:  python -P lib/test/expected/gpt2.py   (writes gpt2.safetensors
and gpt2.json beside itself; -P, because a script beside it has the name of a package)
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

HERE = Path(__file__).parent
torch.manual_seed(7)

config = GPT2Config(
    vocab_size=83,
    n_positions=64,
    n_embd=32,
    n_layer=2,
    n_head=4,
    initializer_range=0.3,  # far from uniform, so that continuations differ and no two tokens are near a tie
    bos_token_id=0,
    eos_token_id=0,
)
model = GPT2LMHeadModel(config).eval()
for name, p in model.named_parameters():
    if name.endswith("bias"):
        torch.nn.init.normal_(p, 0, 0.1)
save_file(
    {k: v.contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"},
    HERE / "gpt2.safetensors",
)

prompts = [torch.randint(1, 83, (n,)).tolist() for n in (1, 3, 7, 12, 20, 33)]


def greedy(prompt, **options):
    ids = torch.tensor([prompt])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=24,
        eos_token_id=None,
        pad_token_id=0,
        **options,
    )
    return out[0, len(prompt) :].tolist()


def rounded(t):
    return [float(f"{v:.7g}") for v in t.flatten().tolist()]


with torch.no_grad():
    logits = model(torch.tensor([prompts[2]])).logits[0]
    row = logits[-1]
    kept = []
    for temperature, k, p in ((1, 5, 1), (1, 0, 0.5), (1, 0, 0.9), (0.5, 0, 0.9), (2, 20, 0.8), (3, 0, 0.99)):
        scores = TemperatureLogitsWarper(float(temperature))(None, row[None])
        if k:
            scores = TopKLogitsWarper(k)(None, scores)
        if p < 1:
            scores = TopPLogitsWarper(p)(None, scores)
        probabilities = scores.softmax(-1)[0]
        kept.append(
            {
                "temperature": temperature,
                "topK": k,
                "topP": p,
                "tokens": [i for i in range(83) if probabilities[i] > 0],
                "probabilities": rounded(probabilities[probabilities > 0]),
            }
        )
    expected = {
        "config": {"vocabulary": 83, "context": 64, "size": 32, "depth": 2, "heads": 4},
        "prompts": prompts,
        "logits": {"shape": list(logits.shape), "values": rounded(logits)},
        "logprobs": rounded(row.log_softmax(-1)),
        "greedy": [greedy(p) for p in prompts],
        "penalized": [greedy(p, repetition_penalty=1.3) for p in prompts],
        "kept": kept,
    }
(HERE / "gpt2.json").write_text(json.dumps(expected))
