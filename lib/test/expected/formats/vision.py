"""What Pillow makes of small images, for the tests of vision operations. Once: pip install pillow==13.0.0 numpy; python vision.py"""

import base64
import io
import json
import os

import numpy as np
import PIL
from PIL import Image

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(7)


def b64(x):
    return base64.b64encode(bytes(x)).decode()


def packed(image):
    a = np.asarray(image)
    if a.ndim == 2:
        a = a[:, :, None]
    return {"shape": list(a.shape), "data": b64(a.tobytes())}


y, x = np.mgrid[0:19, 0:23]
smooth = np.stack([(x * 11) % 256, (y * 13) % 256, (128 + 100 * np.sin(x / 3) * np.cos(y / 4))], -1).astype(np.uint8)
noise = rng.integers(0, 256, (13, 17, 3), dtype=np.uint8)
gray = rng.integers(0, 256, (9, 16), dtype=np.uint8)
images = {"smooth": Image.fromarray(smooth), "noise": Image.fromarray(noise), "gray": Image.fromarray(gray)}
kinds = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
out = {"pillow": PIL.__version__, "images": {k: packed(v) for k, v in images.items()}, "resize": [], "rotate": [], "files": []}
for name, image in images.items():
    for kind, code in kinds.items():
        for height, width in ((7, 5), (13, 40), (31, 17), (1, 1), (19, 9)):
            out["resize"].append({"image": name, "kind": kind, "size": [height, width], "result": packed(image.resize((width, height), code))})
    for kind in ("nearest", "bilinear"):
        for angle in (0, 90, 180, 270, 15, -7.5, 45, 200.25):
            out["rotate"].append({"image": name, "kind": kind, "angle": angle, "result": packed(image.rotate(angle, kinds[kind]))})


def file(name, image, **options):
    data = io.BytesIO()
    image.save(data, **options)
    opened = Image.open(io.BytesIO(data.getvalue()))
    out["files"].append({"name": name, "bytes": b64(data.getvalue()), "rgb": packed(opened.convert("RGB")), "gray": packed(opened.convert("L"))})


file("png rgb", images["smooth"], format="PNG")
file("png gray", images["gray"], format="PNG")
file("png palette", images["smooth"].quantize(16), format="PNG")
file("png rgba", Image.fromarray(np.dstack([smooth, np.full((19, 23), 255, np.uint8)])), format="PNG")
file("jpeg 4:4:4", images["smooth"], format="JPEG", quality=95, subsampling=0)
file("jpeg 4:2:0", images["smooth"], format="JPEG", quality=80)
file("jpeg gray", images["gray"], format="JPEG", quality=90)
file("jpeg progressive", images["smooth"], format="JPEG", quality=90, progressive=True)
with open(f"{here}/vision.json", "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
