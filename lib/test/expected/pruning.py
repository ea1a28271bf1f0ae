"""Masks of torch.nn.utils.prune, training under them, and losses of distillation by PyTorch's own functions, in float64.

Made once with PyTorch on the CPU:  python lib/test/expected/pruning.py   (writes pruning.json beside itself)
"""
import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

torch.set_default_dtype(torch.float64)
torch.manual_seed(5)


def write(t):
    t = t.detach()
    return {"shape": list(t.shape), "values": [float(f"{v:.14g}") for v in t.double().flatten().tolist()]}


class Holder(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.weight = nn.Parameter(w.clone())


def rounded(*shape):
    return torch.randn(shape).mul(1e4).round().div(1e4)


def single(name, shape, options, f):
    w = rounded(*shape)
    held = Holder(w)
    masks = []
    for _ in range(3):  # each prunes of what the one before left
        f(held)
        masks.append(write(held.weight_mask))
    return {"name": name, "weight": write(w), "options": options, "masks": masks}


singles = []
for amount in [0.3, 0.125, 7]:
    singles.append(single("l1Unstructured", [9, 5], {"amount": amount}, lambda h: prune.l1_unstructured(h, "weight", amount)))
for n, dim, amount in [(1, 0, 0.25), (2, 1, 0.3), (float("inf"), 0, 2), (2, 0, 0.5)]:
    options = {"amount": amount, "n": "inf" if n == float("inf") else n, "axis": dim}
    singles.append(single("lnStructured", [8, 6, 3, 2], options, lambda h: prune.ln_structured(h, "weight", amount, n, dim)))

everything = []
for amount in [0.4, 11]:
    held = [Holder(rounded(4, 6) * scale) for scale in [1, 0.3]] + [Holder(rounded(2, 3, 3, 3))]
    weights = [write(h.weight) for h in held]
    rounds = []
    for _ in range(3):
        prune.global_unstructured([(h, "weight") for h in held], pruning_method=prune.L1Unstructured, amount=amount)
        rounds.append([write(h.weight_mask) for h in held])
    everything.append({"weights": weights, "amount": amount, "rounds": rounds})

linear = nn.Linear(6, 4)
linear.weight = nn.Parameter(rounded(4, 6))
linear.bias = nn.Parameter(rounded(4))
trained = {"weight": write(linear.weight), "bias": write(linear.bias), "x": None, "y": None}
prune.l1_unstructured(linear, "weight", 0.5)
optimizer = torch.optim.SGD(linear.parameters(), lr=0.05, momentum=0.9, weight_decay=0.1)
x, y = rounded(10, 6), rounded(10, 4)
trained["x"], trained["y"] = write(x), write(y)
steps = []
for _ in range(5):
    optimizer.zero_grad()
    loss = F.mse_loss(linear(x), y)
    loss.backward()
    optimizer.step()
    steps.append(loss.item())
prune.remove(linear, "weight")
trained.update(losses=steps, after={"weight": write(linear.weight), "bias": write(linear.bias)})


def with_gradient(f, student):
    student = student.clone().requires_grad_()
    loss = f(student)
    loss.backward()
    return {"student": write(student), "value": loss.item(), "gradient": write(student.grad)}


logits = []
for temperature, weight, squared in [(1, 1, False), (4, 0.7, False), (4, 0.7, True), (20, 10, True)]:
    teacher, labels = rounded(5, 3), torch.tensor([0, 2, 1, 1, 0])

    def loss(s):
        soft = F.cross_entropy(s / temperature, F.softmax(teacher / temperature, dim=-1))
        return F.cross_entropy(s, labels) + weight * soft * (temperature**2 if squared else 1)

    logits.append({"teacher": write(teacher), "labels": labels.tolist(), "temperature": temperature, "weight": weight,
                   "squared": squared, **with_gradient(loss, rounded(5, 3))})

hint_weight = rounded(4, 3, 1, 1)
hint_teacher = rounded(2, 4, 5, 5)
hint = {"teacher": write(hint_teacher), "regressor": write(hint_weight),
        **with_gradient(lambda s: 0.5 * (F.conv2d(s, hint_weight) - hint_teacher).pow(2).flatten(1).sum(1).mean(), rounded(2, 3, 5, 5))}


def attention(x):  # of the authors' code: szagoruyko/attention-transfer
    return F.normalize(x.pow(2).mean(1).view(x.size(0), -1))


at_teacher = rounded(2, 6, 4, 4)
at = {"teacher": write(at_teacher),
      **with_gradient(lambda s: (attention(s) - attention(at_teacher)).pow(2).mean(), rounded(2, 3, 4, 4))}

(Path(__file__).parent / "pruning.json").write_text(json.dumps({
    "singles": singles, "global": everything, "trained": trained, "logits": logits, "hint": hint, "attention": at}) + "\n")
print(torch.__version__)
