"""Small PyTorch models with random weights, exported to ONNX, with an input and PyTorch's output each.

Made once with torch 2.13 on the CPU:  pip install torch onnx onnxscript numpy;  python lib/test/expected/onnx_models.py
Writes onnx/NAME.onnx and onnx/NAME.safetensors (`input.0`, …, `output.0`, …) beside itself.
"""
import json
import struct
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
here = Path(__file__).parent / "onnx"
torch.manual_seed(0)
NAMES = {torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.bool: "BOOL", torch.float64: "F64", torch.uint8: "U8"}


def save_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def shake(model):
    """Running statistics and affine parameters away from 0 and 1."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.uniform_(-0.5, 0.5)
            m.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.uniform_(m.bias, -0.5, 0.5)
    return model.eval()


class Lambda(nn.Module):
    def __init__(self, f, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.f = f

    def forward(self, *xs):
        return self.f(self, *xs)


class Residual(nn.Module):
    def __init__(self, c, out, stride):
        super().__init__()
        self.a = nn.Conv2d(c, out, 3, stride, 1, bias=False)
        self.na = nn.BatchNorm2d(out)
        self.b = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.nb = nn.BatchNorm2d(out)
        self.down = nn.Sequential(nn.Conv2d(c, out, 1, stride, bias=False), nn.BatchNorm2d(out)) if stride > 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.nb(self.b(F.relu(self.na(self.a(x))))) + self.down(x))


class Inverted(nn.Module):
    def __init__(self, c, out, stride, grow=3):
        super().__init__()
        h = c * grow
        self.body = nn.Sequential(
            nn.Conv2d(c, h, 1, bias=False), nn.BatchNorm2d(h), nn.ReLU6(),
            nn.Conv2d(h, h, 3, stride, 1, groups=h, bias=False), nn.BatchNorm2d(h), nn.ReLU6(),
            nn.Conv2d(h, out, 1, bias=False), nn.BatchNorm2d(out))
        self.skip = stride == 1 and c == out

    def forward(self, x):
        return x + self.body(x) if self.skip else self.body(x)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1, self.d2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.u1 = nn.Conv2d(8, 4, 3, padding=1)
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        a = F.relu(self.d1(x))
        b = F.relu(self.d2(F.max_pool2d(a, 2)))
        return self.out(F.relu(self.u1(torch.cat([self.up(b), a], 1))))


class Block(nn.Module):
    def __init__(self, d, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(approximate="tanh" if causal else "none"), nn.Linear(2 * d, d))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / (d // self.heads) ** 0.5
        if self.causal:
            mask = torch.tril(torch.ones(t, t, dtype=torch.bool, device=x.device))
            scores = scores.masked_fill(~mask, float("-inf"))
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d)
        x = x + self.proj(y)
        return x + self.mlp(self.n2(x))


class Gpt(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.tokens, self.places = nn.Embedding(31, 16), nn.Embedding(12, 16)
        self.blocks = nn.ModuleList([Block(16, 2, causal) for _ in range(2)])
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 31, bias=False)

    def forward(self, ids):
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Grow(nn.Module):
    def forward(self, x):
        while bool(x.abs().sum() < 100.0):
            x = x * 2.0
        return x


class Steps(nn.Module):
    def forward(self, x, n: int):
        total = torch.zeros_like(x)
        for i in range(n):
            total = total + x * float(i)
        return total


class Either(nn.Module):
    def forward(self, x):
        if bool(x.sum() > 0.0):
            y = x * 2.0
        else:
            y = x - 1.0
        return y


def rand(*shape):
    return torch.randn(*shape)


MODELS = {
    "mlp": (nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(-1)), (rand(2, 4),), {}),
    "cnn": (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.LeakyReLU(0.2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 10)), (rand(2, 1, 12, 12),), {}),
    "resnet": (nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.MaxPool2d(3, 2, 1), Residual(8, 8, 1), Residual(8, 16, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)), (rand(2, 3, 32, 32),), {}),
    "mobilenet": (nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Hardswish(), Inverted(8, 8, 1), Inverted(8, 12, 2), Inverted(12, 12, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)), (rand(1, 3, 32, 32),), {}),
    "squeeze-excite": (Lambda(lambda s, x: x * torch.sigmoid(s.b(F.silu(s.a(F.adaptive_avg_pool2d(x, 1))))), a=nn.Conv2d(6, 3, 1), b=nn.Conv2d(3, 6, 1)), (rand(2, 6, 5, 5),), {}),
    "unet": (UNet(), (rand(1, 1, 8, 8),), {}),
    "bert": (Gpt(False), (torch.randint(0, 31, (2, 9)),), {}),
    "gpt": (Gpt(True), (torch.randint(0, 31, (2, 9)),), {}),
    "gpt-opset23": (Gpt(True), (torch.randint(0, 31, (1, 7)),), {"opset_version": 23}),
    "sdpa": (Lambda(lambda s, q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)), (rand(1, 2, 5, 4), rand(1, 2, 5, 4), rand(1, 2, 5, 4)), {}),
    "sdpa-opset23": (Lambda(lambda s, q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)), (rand(1, 2, 5, 4), rand(1, 2, 5, 4), rand(1, 2, 5, 4)), {"opset_version": 23}),
    "encoder": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0), (rand(2, 5, 8),), {}),
    "multihead": (Lambda(lambda s, x: s.m(x, x, x)[0], m=nn.MultiheadAttention(8, 2, batch_first=True)), (rand(2, 5, 8),), {}),
    "lstm": (Lambda(lambda s, x: s.m(x)[0], m=nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)), (rand(2, 5, 3),), {"dynamo": False, "opset_version": 17}),
    "lstm-state": (Lambda(lambda s, x, h, c: s.m(x, (h, c)), m=nn.LSTM(3, 4)), (rand(5, 2, 3), rand(1, 2, 4), rand(1, 2, 4)), {"dynamo": False, "opset_version": 17}),
    "gru": (Lambda(lambda s, x: s.m(x)[0], m=nn.GRU(3, 4, bidirectional=True)), (rand(5, 2, 3),), {"dynamo": False, "opset_version": 17}),
    "rnn": (Lambda(lambda s, x: s.m(x)[0], m=nn.RNN(3, 4, nonlinearity="relu")), (rand(5, 2, 3),), {"dynamo": False, "opset_version": 17}),
    "einsum": (Lambda(lambda s, a, b: torch.einsum("bhqd,bhkd->bhqk", a, b)), (rand(2, 2, 3, 4), rand(2, 2, 5, 4)), {}),
    "while": (torch.jit.script(Grow()), (rand(2, 3),), {"dynamo": False, "opset_version": 17}),
    "loop": (torch.jit.script(Steps()), (rand(2, 3), 5), {"dynamo": False, "opset_version": 17}),
    "if": (torch.jit.script(Either()), (rand(2, 3),), {"dynamo": False, "opset_version": 17}),
    "norms": (nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.LayerNorm([4, 5, 5])), (rand(2, 4, 5, 5),), {}),
    "resize": (Lambda(lambda s, x: (F.interpolate(x, scale_factor=2, mode="bilinear"), F.interpolate(x, size=(7, 9), mode="nearest"), F.interpolate(x, scale_factor=2, mode="bicubic"), F.interpolate(x, size=(9, 9), mode="bilinear", align_corners=True))), (rand(1, 2, 5, 5),), {}),
    "pads": (Lambda(lambda s, x: (F.pad(x, (1, 2, 0, 1)), F.pad(x, (2, 1, 1, 1), mode="reflect"), F.pad(x, (1, 1, 1, 1), mode="replicate"), F.pad(x, (1, 0, 2, 0), value=3.0))), (rand(1, 2, 4, 5),), {}),
    "indices": (Lambda(lambda s, x, i: (x.gather(1, i), x.topk(3, 1)[0], x.argmax(1), x.cumsum(1), x[:, 1:4:2], x.flip(1), torch.zeros(3, 6).scatter(1, i, x[:, :4]), x.roll(2, 1))), (rand(3, 6), torch.tensor([[0, 5, 2, 1], [1, 2, 3, 4], [5, 4, 3, 0]])), {}),
    "activations": (Lambda(lambda s, x: (F.elu(x, 0.7), F.selu(x), F.celu(x, 0.8), F.gelu(x), F.mish(x), F.softplus(x), F.hardsigmoid(x), F.hardswish(x), F.prelu(x, s.w), F.softsign(x), F.logsigmoid(x), F.glu(x, 1), F.hardtanh(x), F.threshold(x, 0.1, -3.0)), w=nn.Parameter(torch.tensor([0.3]))), (rand(3, 4),), {}),
    "reductions": (Lambda(lambda s, x: (x.sum(1), x.mean((0, 2)), x.amax(2, keepdim=True), x.prod(1), x.norm(dim=1), x.logsumexp(1), x.std(1), x.var(2, unbiased=False), x.log_softmax(1))), (rand(2, 3, 4),), {}),
    "shapes": (Lambda(lambda s, x: (x.view(x.shape[0], -1), x.permute(2, 0, 1), x.unsqueeze(1).expand(-1, 3, -1, -1), torch.cat([x, x * 2], 1), torch.stack([x, x], 0), *x.chunk(2, 2), x.repeat(1, 2, 1), torch.tril(x), x.reshape(-1, 2))), (rand(2, 3, 4),), {}),
    "integers": (Lambda(lambda s, a, b: (a // b, a % b, a + b, a * b, (a > b) & (b > 0), torch.where(a > b, a, b), a.float() / b, a.clamp(0, 5))), (torch.tensor([7, -7, 9, 3]), torch.tensor([2, 2, -4, 3])), {}),
    "conv1d": (nn.Sequential(nn.Conv1d(2, 4, 3, padding=2, dilation=2), nn.ReLU(), nn.MaxPool1d(3, 2, ceil_mode=True), nn.ConvTranspose1d(4, 2, 3, 2, output_padding=1)), (rand(2, 2, 10),), {}),
    "pools": (Lambda(lambda s, x: (F.max_pool2d(x, 3, 2, 1, ceil_mode=True), F.avg_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), F.max_pool2d(x, 2, 1, dilation=2), F.adaptive_max_pool2d(x, 1))), (rand(1, 2, 8, 8),), {}),
    "grouped": (nn.Sequential(nn.Conv2d(4, 8, 3, 2, (1, 0), (1, 2), groups=2), nn.ConvTranspose2d(8, 4, 3, 2, 1, 1, groups=2), nn.PixelShuffle(2)), (rand(1, 4, 9, 9),), {}),
    "dynamic": (Lambda(lambda s, x: s.b(F.relu(s.a(x.reshape(x.shape[0] * x.shape[1], 4)))).reshape(x.shape[0], x.shape[1], 3).mean(1), a=nn.Linear(4, 8), b=nn.Linear(8, 3)), (rand(2, 5, 4),), {"dynamic_shapes": ({0: "batch", 1: "time"},)}),
    "dynamic-gpt": (Gpt(True), (torch.randint(0, 31, (2, 9)),), {"dynamic_shapes": ({0: "batch", 1: "time"},)}),
}


def main(wanted):
    here.mkdir(exist_ok=True)
    for name, (model, args, options) in MODELS.items():
        if wanted and name not in wanted:
            continue
        model = shake(model)
        path = here / f"{name}.onnx"
        options = {"dynamo": True, "opset_version": 18, **options}
        if name.startswith("dynamic"):
            f = model.f if isinstance(model, Lambda) else None
            if f:  # the exporter wants a plain signature
                class One(nn.Module):
                    def __init__(self):
                        super().__init__()
                        self.m = model

                    def forward(self, x):
                        return f(self.m, x)
                model = One().eval()
        if options["dynamo"]:
            options["external_data"] = False
        torch.onnx.export(model, args, str(path), **options)
        if "dynamic_shapes" in options:
            args = tuple(torch.cat([a, a[:1]], 0) for a in args)
        with torch.no_grad():
            out = model(*args)
        leaves = []

        def walk(x):
            if isinstance(x, torch.Tensor):
                leaves.append(x)
            else:
                for part in x:
                    walk(part)
        walk(out)
        given = [a if isinstance(a, torch.Tensor) else torch.tensor(a) for a in args]
        save_safetensors(here / f"{name}.safetensors", {**{f"input.{i}": a for i, a in enumerate(given)}, **{f"output.{i}": y for i, y in enumerate(leaves)}})
        import onnx
        loaded = onnx.load(path)
        for node in loaded.graph.node:  # paths of the machine it was made on
            del node.metadata_props[:]
            node.doc_string = ""
        for v in [*loaded.graph.value_info, *loaded.graph.input, *loaded.graph.output]:
            del v.metadata_props[:]
        del loaded.metadata_props[:]
        del loaded.graph.metadata_props[:]
        del loaded.graph.value_info[:]
        onnx.save(loaded, path)
        print(name, path.stat().st_size, sorted({n.op_type for n in loaded.graph.node}))


main(sys.argv[1:])
