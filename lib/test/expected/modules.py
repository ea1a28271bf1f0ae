"""Recurrent layers, attention, Transformer blocks, normalizations, transposed convolutions and losses with options, as
PyTorch computes them in float64: what src/nn/modules.test.ts compares with.

Made once with PyTorch 2.14 on the CPU:  python lib/test/expected/modules.py   (writes modules.json beside itself)
"""
import json
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(23)
HERE = Path(__file__).parent


def rounded(*shape):
    return (torch.randn(shape) * 100).round() / 100


def distinct(*shape):
    """No two are equal, so that it is clear who is the largest: others may share its gradient in another way."""
    return (torch.randperm(math.prod(shape)).reshape(shape) - math.prod(shape) / 2) / 10


class HardSigmoid(nn.Module):
    """By its definition: in PyTorch's own the factor 1/6 has single precision."""
    def forward(self, x):
        return torch.clamp(x / 6 + 0.5, 0, 1)


def write(t):
    t = t.detach()
    values = t.flatten().tolist()
    if t.is_floating_point():
        values = [float(f"{v:.14g}") for v in values]
    return {"shape": list(t.shape), "values": values}


def rerolled(module):
    """Short decimals for all parameters: the file stays small, and biases are not 0."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(rounded(*p.shape) * 0.5)
    return module


def case(name, module, inputs, run, ours):
    """outputs = run(module, inputs); gradients of the weighted sum of all outputs. `ours`: our parameters from theirs."""
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    outputs = run(module, *inputs)
    weights = [rounded(*y.shape) for y in outputs]
    sum((y * c).sum() for y, c in zip(outputs, weights)).backward()
    values = {k: v.detach() for k, v in module.named_parameters()}
    slopes = {k: v.grad for k, v in module.named_parameters()}
    return {
        "name": name,
        "inputs": [{**write(x), "integer": not x.is_floating_point()} for x in inputs],
        "outputs": [write(y) for y in outputs],
        "weights": [write(c) for c in weights],
        "inputGradients": [write(x.grad) if x.is_floating_point() else None for x in inputs],
        "parameters": {k: write(v) for k, v in ours(values, False).items()},
        "gradients": {k: write(v) for k, v in ours(slopes, True).items()},
    }


def recurrent(kind, gates):
    """Our bias is the sum of PyTorch's two (a GRU's candidate keeps both); gradients of a sum's parts are equal."""
    def convert(values, gradients, prefix=lambda layer, direction: f"cells.{layer}.{direction}"):
        found = {}
        for key in values:
            if not key.startswith("weight_ih"):
                continue
            tail = key[len("weight_ih_l"):]
            layer, direction = int(tail.split("_")[0]), int(tail.endswith("_reverse"))
            at = prefix(layer, direction)
            found[f"{at}.inputWeight"] = values[f"weight_ih_l{tail}"].T
            found[f"{at}.stateWeight"] = values[f"weight_hh_l{tail}"].T
            if f"bias_ih_l{tail}" not in values:
                continue
            a, b = values[f"bias_ih_l{tail}"], values[f"bias_hh_l{tail}"]
            size = a.shape[0] // gates
            if kind == "GRU":
                found[f"{at}.bias"] = a if gradients else torch.cat([a[:2 * size] + b[:2 * size], a[2 * size:]])
                found[f"{at}.stateBias"] = b[2 * size:]
            else:
                found[f"{at}.bias"] = a if gradients else a + b
        return found
    return convert


def walks(name, kind, gates, inputs, size, layers=1, n=3, t=5, lengths=None, start=False, **options):
    make = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}[kind]
    module = rerolled(make(inputs, size, layers, batch_first=True, **options))
    directions = 2 if options.get("bidirectional") else 1
    cells = layers * directions

    def run(m, x, *states):
        first = None
        if states:
            halves = [torch.stack(states[k::2] if kind == "LSTM" else states) for k in range(2 if kind == "LSTM" else 1)]
            first = tuple(halves) if kind == "LSTM" else halves[0]
        if lengths is None:
            y, last = m(x, first)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
            y, last = m(packed, first)
            y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=t)
        states = [s for pair in zip(*last) for s in pair] if kind == "LSTM" else list(last)
        return [y, *states]

    states = [rounded(n, size) for _ in range(cells * (2 if kind == "LSTM" else 1))] if start else []
    found = case(name, module, [rounded(n, t, inputs), *states], run, recurrent(kind, gates))
    return {**found, "kind": kind, "lengths": lengths, "options": {
        "inputs": inputs, "size": size, "layers": layers, "bidirectional": directions == 2,
        "bias": options.get("bias", True), "activation": options.get("nonlinearity", "tanh"),
    }}


def attention_parameters(values, at="", prefix=""):
    """PyTorch stacks the three projections, and keeps matrices as (outputs, inputs)."""
    found = {}
    if f"{at}in_proj_weight" in values:
        parts = values[f"{at}in_proj_weight"].chunk(3)
    else:
        parts = [values[f"{at}{k}_proj_weight"] for k in "qkv"]
    for name, weight, bias in zip(["query", "key", "value"], parts, values[f"{at}in_proj_bias"].chunk(3)):
        found[f"{prefix}{name}.weight"], found[f"{prefix}{name}.bias"] = weight.T, bias
    found[f"{prefix}output.weight"] = values[f"{at}out_proj.weight"].T
    found[f"{prefix}output.bias"] = values[f"{at}out_proj.bias"]
    return found


def block_parameters(values, at="", prefix="", decoder=False):
    found = attention_parameters(values, f"{at}self_attn.", f"{prefix}{'selfAttention' if decoder else 'attention'}.")
    norms = ["aroundSelf", "aroundCross", "aroundNetwork"] if decoder else ["aroundAttention", "aroundNetwork"]
    if decoder:
        found |= attention_parameters(values, f"{at}multihead_attn.", f"{prefix}crossAttention.")
    for ours, theirs in (("wide", "linear1"), ("narrow", "linear2")):
        found[f"{prefix}network.{ours}.weight"] = values[f"{at}{theirs}.weight"].T
        found[f"{prefix}network.{ours}.bias"] = values[f"{at}{theirs}.bias"]
    for i, name in enumerate(norms):
        for p in ("weight", "bias"):
            found[f"{prefix}{name}.norm.{p}"] = values[f"{at}norm{i + 1}.{p}"]
    return found


def stack_parameters(values, depth, at="", prefix="", decoder=False):
    found = {}
    for k in range(depth):
        found |= block_parameters(values, f"{at}layers.{k}.", f"{prefix}layers.{k}.", decoder)
    if f"{at}norm.weight" in values:
        found |= {f"{prefix}norm.{p}": values[f"{at}norm.{p}"] for p in ("weight", "bias")}
    return found


def plain(values, _gradients):
    return dict(values)


def maps(rank):
    """Our bias is (O, 1, …): it is added to maps."""
    def convert(values, _gradients):
        return {k: v.reshape(-1, *[1] * rank) if k == "bias" else v for k, v in values.items()}
    return convert


def simple(name, module, *inputs, ours=plain):
    return case(name, rerolled(module), list(inputs), lambda m, *x: [m(*x)], ours)


def bilinear(values, _gradients):
    return {"weight": values["weight"].permute(1, 0, 2), "bias": values["bias"]}


CAUSAL = nn.Transformer.generate_square_subsequent_mask(4)
PADDED = torch.tensor([[False, False, False, True], [False, False, True, True]])  # True: hidden


def attends(name, module, inputs, mask=None, padding=None, kdim=None):
    def run(m, q, k, v):
        y, w = m(q, k, v, attn_mask=mask, key_padding_mask=padding, average_attn_weights=False)
        return [y, w]
    return case(name, rerolled(module), inputs, run, lambda values, _g: attention_parameters(values))


def attention_cases():
    size, heads = 6, 2
    x, memory = rounded(2, 4, size), rounded(2, 4, size)
    return [
        attends("self", nn.MultiheadAttention(size, heads, batch_first=True), [x, x, x]),
        attends("cross", nn.MultiheadAttention(size, 3, batch_first=True), [rounded(2, 3, size), memory, memory]),
        attends("causal", nn.MultiheadAttention(size, heads, batch_first=True), [x, x, x], mask=CAUSAL),
        attends("padded", nn.MultiheadAttention(size, heads, batch_first=True), [x, memory, memory], padding=PADDED),
        attends("other sizes", nn.MultiheadAttention(size, heads, batch_first=True, kdim=3, vdim=5),
                [x, rounded(2, 4, 3), rounded(2, 4, 5)]),
    ]


def transformer_cases():
    size, heads, hidden = 6, 2, 10
    common = {"dim_feedforward": hidden, "dropout": 0.0, "batch_first": True}
    encoder = lambda **o: nn.TransformerEncoderLayer(size, heads, **common, **o)
    decoder = lambda **o: nn.TransformerDecoderLayer(size, heads, **common, **o)
    x, memory = rounded(2, 4, size), rounded(2, 3, size)
    one = lambda m, *inputs: [m(*inputs)]
    first = {"norm_first": True, "activation": "gelu"}
    norm = lambda: nn.LayerNorm(size)
    whole = nn.Transformer(size, heads, 2, 2, **common)
    whole.encoder.norm = whole.decoder.norm = None  # where blocks normalize last, ours has none behind them
    return [
        case("encoder layer", rerolled(encoder()), [x], one, lambda v, _g: block_parameters(v)),
        case("encoder layer, norm first, gelu", rerolled(encoder(**first)), [x], one, lambda v, _g: block_parameters(v)),
        case("encoder layer, causal", rerolled(encoder()), [x], lambda m, z: [m(z, src_mask=CAUSAL)],
             lambda v, _g: block_parameters(v)),
        case("decoder layer", rerolled(decoder()), [x, memory], lambda m, z, y: [m(z, y, tgt_mask=CAUSAL)],
             lambda v, _g: block_parameters(v, decoder=True)),
        case("decoder layer, norm first, gelu", rerolled(decoder(**first)), [x, memory],
             lambda m, z, y: [m(z, y, tgt_mask=CAUSAL)], lambda v, _g: block_parameters(v, decoder=True)),
        case("encoder", rerolled(nn.TransformerEncoder(encoder(**first), 2, norm(), enable_nested_tensor=False)), [x], one,
             lambda v, _g: stack_parameters(v, 2)),
        case("decoder", rerolled(nn.TransformerDecoder(decoder(**first), 2, norm())), [x, memory],
             lambda m, z, y: [m(z, y, tgt_mask=CAUSAL)], lambda v, _g: stack_parameters(v, 2, decoder=True)),
        case("transformer", rerolled(whole), [memory, x], lambda m, s, t: [m(s, t, tgt_mask=CAUSAL)],
             lambda v, _g: stack_parameters(v, 2, "encoder.", "encoder.") | stack_parameters(v, 2, "decoder.", "decoder.", True)),
    ]


LAYERS = [
    simple("Conv1d", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), rounded(2, 4, 9), ours=maps(1)),
    simple("ConvTranspose1d", nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
           rounded(2, 4, 5), ours=maps(1)),
    simple("ConvTranspose2d", nn.ConvTranspose2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
           rounded(2, 2, 3, 4), ours=maps(2)),
    simple("MaxPool1d", nn.MaxPool1d(3, 2, 1), distinct(2, 2, 7)),
    simple("AvgPool1d", nn.AvgPool1d(3, 2, 1), rounded(2, 2, 7)),
    simple("AdaptiveAvgPool2d", nn.AdaptiveAvgPool2d((2, 3)), rounded(2, 2, 5, 7)),
    simple("AdaptiveMaxPool2d", nn.AdaptiveMaxPool2d((2, 3)), distinct(2, 2, 5, 7)),
    simple("GroupNorm", nn.GroupNorm(2, 6), rounded(3, 6, 2, 2)),
    simple("GroupNorm of vectors", nn.GroupNorm(3, 6), rounded(4, 6)),
    simple("InstanceNorm", nn.InstanceNorm2d(3, affine=True), rounded(2, 3, 3, 2)),
    simple("RMSNorm", nn.RMSNorm((2, 3), eps=1e-3), rounded(4, 2, 3)),
    simple("Embedding", nn.Embedding(5, 3), torch.tensor([[0, 4, 4], [2, 0, 1]])),
    simple("Bilinear", nn.Bilinear(3, 4, 5), rounded(2, 3), rounded(2, 4), ours=bilinear),
    simple("PReLU", nn.PReLU(3), rounded(2, 3, 4)),
    simple("PReLU of one", nn.PReLU(), rounded(2, 3)),
    *[simple(name, module, rounded(3, 4) * 3) for name, module in {
        "ReLU6": nn.ReLU6(), "LeakyReLU": nn.LeakyReLU(0.1), "ELU": nn.ELU(), "SELU": nn.SELU(), "GELU": nn.GELU(),
        "GELU by tanh": nn.GELU("tanh"), "SiLU": nn.SiLU(), "Mish": nn.Mish(), "Softplus": nn.Softplus(threshold=1e9),
        "Softsign": nn.Softsign(), "HardSigmoid": HardSigmoid(), "HardSwish": nn.Hardswish(),
        "Softmax": nn.Softmax(0), "LogSoftmax": nn.LogSoftmax(-1),
    }.items()],
]

RECURRENT = [
    walks("RNN", "RNN", 1, 4, 3),
    walks("RNN with relu, without bias", "RNN", 1, 2, 3, nonlinearity="relu", bias=False),
    walks("LSTM", "LSTM", 4, 4, 3, start=True),
    walks("GRU", "GRU", 3, 4, 3, start=True),
    walks("LSTM, two layers, both directions", "LSTM", 4, 2, 3, layers=2, bidirectional=True, start=True),
    walks("GRU, two layers, both directions, lengths", "GRU", 3, 2, 3, layers=2, bidirectional=True, start=True,
          lengths=[3, 5, 1]),
    walks("LSTM, lengths", "LSTM", 4, 2, 3, lengths=[5, 2, 4]),
    walks("RNN, lengths, backwards too", "RNN", 1, 2, 2, bidirectional=True, lengths=[1, 4, 5]),
]


def loss(name, options, f, prediction, *rest):
    prediction = prediction.clone().requires_grad_()
    value = f(prediction, *rest)
    c = rounded(*value.shape) if value.ndim else torch.tensor(1.0)
    (value * c).sum().backward()
    return {
        "name": name, "options": options, "prediction": write(prediction),
        "rest": [{**write(x), "integer": not x.is_floating_point()} for x in rest],
        "value": write(value), "c": write(c), "gradient": write(prediction.grad),
    }


def cross(options, logits, labels, **given):
    return loss("crossEntropy", options, lambda p, y: F.cross_entropy(p, y, **given), logits, labels)


CLASSES, LABELS = 4, torch.tensor([0, 3, 1, 1, 2])
PER_CLASS = torch.tensor([0.5, 2.0, 1.0, 0.25])
SIGNS = torch.tensor([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
probabilities = lambda *shape: torch.softmax(rounded(*shape), -1)
LOSSES = [
    *[loss("mse", r, lambda p, y, r=r: F.mse_loss(p, y, reduction=r), rounded(2, 3), rounded(2, 3)) for r in ("sum", "none")],
    *[loss("mae", r, lambda p, y, r=r: F.l1_loss(p, y, reduction=r), rounded(2, 3), rounded(2, 3)) for r in ("sum", "none")],
    loss("huber", {}, F.huber_loss, rounded(3, 4), rounded(3, 4)),
    loss("huber", {"delta": 0.4, "reduction": "none"}, lambda p, y: F.huber_loss(p, y, reduction="none", delta=0.4),
         rounded(3, 4), rounded(3, 4)),
    loss("nll", {}, F.nll_loss, torch.log_softmax(rounded(5, 4), -1), LABELS),
    loss("nll", {"weights": PER_CLASS.tolist(), "ignoreIndex": 1},
         lambda p, y: F.nll_loss(p, y, PER_CLASS, ignore_index=1), torch.log_softmax(rounded(5, 4), -1), LABELS),
    cross({"reduction": "none"}, rounded(5, 4), LABELS, reduction="none"),
    cross({"reduction": "sum", "ignoreIndex": 1}, rounded(5, 4), LABELS, reduction="sum", ignore_index=1),
    cross({"ignoreIndex": -100}, rounded(5, 4), torch.tensor([0, -100, 1, -100, 2])),
    cross({"weights": PER_CLASS.tolist()}, rounded(5, 4), LABELS, weight=PER_CLASS),
    cross({"labelSmoothing": 0.2}, rounded(5, 4), LABELS, label_smoothing=0.2),
    cross({"labelSmoothing": 0.1, "weights": PER_CLASS.tolist(), "ignoreIndex": 1}, rounded(5, 4), LABELS,
          label_smoothing=0.1, weight=PER_CLASS, ignore_index=1),
    cross({"labelSmoothing": 0.1, "weights": PER_CLASS.tolist(), "ignoreIndex": 1, "reduction": "none"}, rounded(5, 4), LABELS,
          label_smoothing=0.1, weight=PER_CLASS, ignore_index=1, reduction="none"),
    loss("binaryCrossEntropy", {"positiveWeight": [0.5, 3.0, 1.0], "reduction": "sum"},
         lambda p, y: F.binary_cross_entropy_with_logits(p, y, pos_weight=torch.tensor([0.5, 3.0, 1.0]), reduction="sum"),
         rounded(2, 3) * 3, torch.rand(2, 3).round(decimals=2)),
    loss("klDivergence", "mean", lambda p, y: F.kl_div(p, y, reduction="batchmean"), torch.log_softmax(rounded(4, 3), -1),
         probabilities(4, 3)),
    loss("klDivergence", "sum", lambda p, y: F.kl_div(p, y, reduction="sum"), torch.log_softmax(rounded(2, 3), -1),
         torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])),
    loss("hinge", "none", lambda p, y: F.relu(1 - p * y), rounded(2, 3) * 2, SIGNS),
    loss("cosineSimilarity", {}, lambda p, y: F.cosine_similarity(p, y, -1), rounded(3, 4), rounded(3, 4)),
    loss("cosineSimilarity", {"axis": 0}, lambda p, y: F.cosine_similarity(p, y, 0), rounded(3, 4), rounded(3, 4)),
    loss("tripletMargin", {"margin": 0.7, "reduction": "none"},
         lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=0.7, reduction="none"), rounded(4, 3), rounded(4, 3), rounded(4, 3)),
]


def positions(length, size):
    """The table of the paper, written out."""
    return write(torch.tensor([
        [math.sin(p / 10000 ** (i / size)) if i % 2 == 0 else math.cos(p / 10000 ** ((i - 1) / size)) for i in range(size)]
        for p in range(length)
    ]))


CONTENT = {
    "made by": f"PyTorch {torch.__version__}",
    "layers": LAYERS, "recurrent": RECURRENT, "attention": attention_cases(), "transformer": transformer_cases(),
    "losses": LOSSES, "positions": positions(5, 7),
}
(HERE / "modules.json").write_text(json.dumps(CONTENT, separators=(",", ":")) + "\n")
