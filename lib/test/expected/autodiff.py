"""Losses and gradients of a few networks, computed by PyTorch in float64: what autodiff/pytorch.test.ts compares with.

Made once with PyTorch 2.15 on the CPU:  python lib/test/expected/autodiff.py > lib/test/expected/autodiff.json
"""
import json

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)


def rounded(shape):
    """Random values that a short decimal writes exactly enough: the file stays small."""
    return (torch.randn(shape) * 100).round() / 100


def mlp(x, w1, b1, w2, b2):
    h = torch.tanh(x @ w1 + b1)
    labels = torch.tensor([2, 0, 1, 1])
    return F.cross_entropy(h @ w2 + b2, labels)


def cnn(x, k1, k2, w):
    h = F.max_pool2d(F.relu(F.conv2d(x, k1, stride=1, padding=1)), 2)
    h = F.avg_pool2d(F.silu(F.conv2d(h, k2, stride=2, padding=1)), 1)
    return ((h.flatten(1) @ w) ** 2).mean()


def attention(x, wq, wk, wv, wo):
    q, k, v = x @ wq, x @ wk, x @ wv
    scores = F.softmax(q @ k.transpose(-1, -2) / 2.0, dim=-1)
    y = F.gelu(scores @ v) @ wo
    return (y - y.mean(-1, keepdim=True)).square().mean() + F.softplus(y).sum() / 10


def normalized(x, gain, bias):
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, unbiased=False, keepdim=True)
    y = (x - mean) / torch.sqrt(variance + 1e-5) * gain + bias
    return F.elu(y).logsumexp(-1).sum() + torch.sigmoid(y).prod(0).sum()


def recurrent(h, wh, wx, x):
    for step in range(x.shape[0]):
        h = torch.tanh(h @ wh + x[step] @ wx)
    return F.smooth_l1_loss(h, torch.zeros_like(h)) + torch.linalg.vector_norm(h)


def case(name, f, *shapes):
    inputs = [rounded(shape).requires_grad_() for shape in shapes]
    loss = f(*inputs)
    gradients = torch.autograd.grad(loss, inputs, create_graph=True)
    # product of the Hessian with a vector of ones, in the first input
    second = torch.autograd.grad(sum(g.sum() for g in gradients), inputs)
    write = lambda t: {"shape": list(t.shape), "values": t.detach().flatten().tolist()}
    return {
        "name": name,
        "inputs": [write(t) for t in inputs],
        "loss": loss.item(),
        "gradients": [write(t) for t in gradients],
        "hessianTimesOnes": [write(t) for t in second],
    }


CASES = [
    case("mlp", mlp, (4, 3), (3, 5), (5,), (5, 3), (3,)),
    case("cnn", cnn, (2, 2, 6, 6), (3, 2, 3, 3), (4, 3, 3, 3), (16, 2)),
    case("attention", attention, (2, 3, 4), (4, 4), (4, 4), (4, 4), (4, 2)),
    case("normalized", normalized, (3, 4), (4,), (4,)),
    case("recurrent", recurrent, (2, 3), (3, 3), (2, 3), (4, 2, 2)),
]
print(json.dumps({"made by": f"PyTorch {torch.__version__}", "cases": CASES}))
