"""Public names of PyTorch as JSON on standard output: functions and classes by module. Run by collect.mjs."""
import inspect
import json

import torch
import torch.nn.functional

MODULES = {"torch": torch, "nn.functional": torch.nn.functional, "linalg": torch.linalg, "special": torch.special, "nn": torch.nn, "optim": torch.optim,
           "optim.lr_scheduler": torch.optim.lr_scheduler, "nn.init": torch.nn.init, "nn.utils": torch.nn.utils, "distributions": torch.distributions,
           "Tensor": torch.Tensor, "func": torch.func}
names = {}
for name, module in MODULES.items():
    found = [n for n in dir(module) if not n.startswith("_") and callable(getattr(module, n, None))]
    names[name] = sorted(n for n in found if not inspect.ismodule(getattr(module, n)))
print(json.dumps({"version": torch.__version__.split("+")[0], "names": names}))
