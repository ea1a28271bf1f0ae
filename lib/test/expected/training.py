"""Layers, losses and optimizers, computed by PyTorch in float64: what test/training.test.ts compares with.

Made once with PyTorch 2.13 on the CPU:  python lib/test/expected/training.py > lib/test/expected/training.json
"""
import json

import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(11)


def rounded(*shape):
    """Random values that a short decimal writes exactly enough: the file stays small."""
    return (torch.randn(shape) * 100).round() / 100


def plain(t):
    return {"shape": list(t.shape), "values": [float(f"{v:.12g}") for v in t.detach().flatten().tolist()]}


def layer(name, module, x, weight=None):
    """Output of a layer, and gradients of its mean square with respect to input and parameters."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(rounded(*p.shape))
    x = x.clone().requires_grad_()
    y = module(x)
    y.square().mean().backward()
    return {
        "name": name,
        "input": plain(x),
        "parameters": [plain(p) for p in module.parameters()],
        "output": plain(y),
        "inputGradient": plain(x.grad),
        "gradients": [plain(p.grad) for p in module.parameters()],
    }


images = rounded(2, 4, 7, 6)
layers = [
    layer("Dense", nn.Linear(5, 3), rounded(4, 5)),
    layer("Dense on a sequence", nn.Linear(5, 2, bias=False), rounded(2, 3, 5)),
    layer("Conv2d", nn.Conv2d(4, 3, 3), images),
    layer("Conv2d, padding 1", nn.Conv2d(4, 3, 3, padding=1), images),
    layer("Conv2d, stride 2, padding (2, 1)", nn.Conv2d(4, 2, (3, 2), stride=2, padding=(2, 1)), images),
    layer("Conv2d, dilation 2", nn.Conv2d(4, 2, 3, dilation=2, padding=1), images),
    layer("Conv2d, groups 2", nn.Conv2d(4, 6, 3, groups=2, bias=False), images),
    layer("MaxPool2d 2", nn.MaxPool2d(2), images),
    layer("MaxPool2d 3, stride 2, padding 1", nn.MaxPool2d(3, stride=2, padding=1), images),
    layer("AvgPool2d 2", nn.AvgPool2d(2), images),
    layer("Tanh", nn.Tanh(), rounded(3, 4)),
    layer("Sigmoid", nn.Sigmoid(), rounded(3, 4)),
    layer("ReLU", nn.ReLU(), rounded(3, 4)),
]


def loss(name, f, prediction, target):
    prediction = prediction.clone().requires_grad_()
    value = f(prediction, target)
    value.backward()
    return {
        "name": name,
        "prediction": plain(prediction),
        "target": plain(target.to(torch.float64)),
        "integers": not target.is_floating_point(),
        "value": value.item(),
        "gradient": plain(prediction.grad),
    }


losses = [
    loss("mse", F.mse_loss, rounded(4, 3), rounded(4, 3)),
    loss("mae", F.l1_loss, rounded(4, 3), rounded(4, 3)),
    loss("crossEntropy", F.cross_entropy, rounded(5, 4) * 3, torch.tensor([0, 3, 2, 2, 1])),
    loss("crossEntropy", F.cross_entropy, rounded(3, 4), torch.softmax(rounded(3, 4), -1)),
    loss("crossEntropy", F.cross_entropy, torch.tensor([[1000.0, 0.0], [-1000.0, 5.0]]), torch.tensor([1, 1])),
    loss("binaryCrossEntropy", F.binary_cross_entropy_with_logits, rounded(4, 2) * 4, torch.rand(4, 2)),
]

start, matrix, target = rounded(3, 2), rounded(6, 3), rounded(6, 2)


def trajectory(name, options, make, schedule=None):
    """The parameters after each of ten steps on a least squares problem."""
    w = start.clone().requires_grad_()
    optimizer = make(w)
    scheduler = schedule(optimizer) if schedule else None
    path = []
    for _ in range(10):
        optimizer.zero_grad()
        ((matrix @ w - target) ** 2).mean().backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        path.append(plain(w)["values"])
    return {"name": name, "options": options, "path": path}


O, S = torch.optim, torch.optim.lr_scheduler
optimizers = [
    trajectory("SGD", {"lr": 0.1}, lambda w: O.SGD([w], lr=0.1)),
    trajectory("SGD", {"lr": 0.05, "momentum": 0.9}, lambda w: O.SGD([w], lr=0.05, momentum=0.9)),
    trajectory("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weightDecay": 0.1}, lambda w: O.SGD([w], lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1)),
    trajectory("Adam", {"lr": 0.1}, lambda w: O.Adam([w], lr=0.1)),
    trajectory("Adam", {"lr": 0.02, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-3, "weightDecay": 0.2}, lambda w: O.Adam([w], lr=0.02, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.2)),
    trajectory("AdamW", {"lr": 0.1, "weightDecay": 0.1}, lambda w: O.AdamW([w], lr=0.1, weight_decay=0.1)),
    trajectory("RMSProp", {"lr": 0.05}, lambda w: O.RMSprop([w], lr=0.05)),
    trajectory("RMSProp", {"lr": 0.05, "decay": 0.9, "epsilon": 1e-4}, lambda w: O.RMSprop([w], lr=0.05, alpha=0.9, eps=1e-4)),
    trajectory("AdaGrad", {"lr": 0.5}, lambda w: O.Adagrad([w], lr=0.5)),
    trajectory("SGD, stepDecay", {"lr": 0.1}, lambda w: O.SGD([w], lr=0.1), lambda o: S.StepLR(o, 3, gamma=0.5)),
    trajectory("SGD, cosine", {"lr": 0.1}, lambda w: O.SGD([w], lr=0.1), lambda o: S.CosineAnnealingLR(o, 8, eta_min=0.01)),
    trajectory("SGD, warmup", {"lr": 0.1}, lambda w: O.SGD([w], lr=0.1), lambda o: S.LambdaLR(o, lambda t: (t + 1) / 4 if t < 4 else 1)),
]

print(
    json.dumps(
        {
            "torch": torch.__version__,
            "layers": layers,
            "losses": losses,
            "problem": {"start": plain(start), "matrix": plain(matrix), "target": plain(target)},
            "optimizers": optimizers,
        }
    )
)
