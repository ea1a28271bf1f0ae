"""Average precision of random detections, by pycocotools. Run: python3 detection.py (numpy, pycocotools). Writes detection.json."""

import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

rng = np.random.default_rng(7)
cases = []
for images, noise in [(6, 1.0), (20, 3.0), (12, 0.0), (15, 6.0)]:
    truth, found = [], []
    for _ in range(images):
        boxes = []
        for _ in range(rng.integers(0, 6)):
            x, y, w, h = *rng.uniform(0, 60, 2), *rng.uniform(8, 30, 2)
            boxes.append({"x0": x, "y0": y, "x1": x + w, "y1": y + h, "label": int(rng.integers(0, 3))})
        truth.append(boxes)
        said = []
        for b in boxes:
            if rng.random() < 0.15:
                continue
            for _ in range(1 + int(rng.random() < 0.2)):
                d = noise * rng.standard_normal(4)
                # no side vanishes
                d[2] = max(d[2], d[0] + b["x0"] - b["x1"] + 1)
                d[3] = max(d[3], d[1] + b["y0"] - b["y1"] + 1)
                label = b["label"] if rng.random() < 0.9 else int(rng.integers(0, 3))
                said.append({"x0": b["x0"] + d[0], "y0": b["y0"] + d[1], "x1": b["x1"] + d[2], "y1": b["y1"] + d[3], "label": label, "score": rng.random()})
        for _ in range(rng.integers(0, 3)):
            x, y, w, h = *rng.uniform(0, 60, 2), *rng.uniform(8, 30, 2)
            said.append({"x0": x, "y0": y, "x1": x + w, "y1": y + h, "label": int(rng.integers(0, 3)), "score": rng.random() * 0.5})
        found.append(said)
    xywh = lambda b: [b["x0"], b["y0"], b["x1"] - b["x0"], b["y1"] - b["y0"]]
    annotations = [
        {"id": k + 1, "image_id": i, "category_id": b["label"], "bbox": xywh(b), "area": xywh(b)[2] * xywh(b)[3], "iscrowd": 0}
        for k, (i, b) in enumerate((i, b) for i, boxes in enumerate(truth) for b in boxes)
    ]
    results = [{"image_id": i, "category_id": b["label"], "bbox": xywh(b), "score": b["score"]} for i, said in enumerate(found) for b in said]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"info": {}, "images": [{"id": i} for i in range(images)], "categories": [{"id": k, "name": str(k)} for k in range(3)], "annotations": annotations}
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    # T × R × K × A × M
    precision = run.eval["precision"][:, :, :, 0, 2]
    per_class = [float(precision[:, :, k].mean()) for k in range(3)]
    cases.append({"truth": truth, "found": found, "mAP": run.stats[0], "mAP50": run.stats[1], "mAP75": run.stats[2], "perClass": per_class})
pathlib.Path(__file__).with_name("detection.json").write_text(json.dumps(cases))
