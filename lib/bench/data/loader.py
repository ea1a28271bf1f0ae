"""PyTorch's DataLoader on the same files: BENCH_ROW, BENCH_DATA, BENCH_TASKS (sizes)."""
import gc, io, json, os, resource, time, zlib
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

folder, row = os.environ["BENCH_DATA"], os.environ["BENCH_ROW"]
quick = 4 if os.environ.get("BENCH_QUICK") == "1" else 1
sizes = json.loads(os.environ["BENCH_TASKS"])
IMAGE, PHOTO, RECORD = sizes["IMAGE"], sizes["PHOTO"], sizes["RECORD"]


class Images(Dataset):
    def __init__(self, count):
        self.count = count
        self.offsets = np.fromfile(f"{folder}/offsets.bin", dtype=np.float64).astype(np.int64)
        self.file = os.open(f"{folder}/images.bin", os.O_RDONLY)

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        size, crop = IMAGE["size"], IMAGE["crop"]
        at = self.offsets[i]
        pixels = np.frombuffer(zlib.decompress(os.pread(self.file, self.offsets[i + 1] - at, at)), dtype=np.uint8)
        pixels = pixels.reshape(size, size, 3)
        top, left = np.random.randint(size - crop + 1), np.random.randint(size - crop + 1)
        pixels = pixels[top : top + crop, left : left + crop]
        if np.random.randint(2):
            pixels = pixels[:, ::-1]
        x = pixels.transpose(2, 0, 1).astype(np.float32) * np.float32(1 / 255 / 0.25) - np.float32(0.5 / 0.25)
        return {"x": torch.from_numpy(np.ascontiguousarray(x)), "y": i % 10}


class Photos(Dataset):
    """Resize, RandomCrop, RandomHorizontalFlip, ToTensor, Normalize as torchvision does them on Pillow's images, without its dispatch."""

    def __init__(self, count):
        self.count = count
        self.offsets = np.fromfile(f"{folder}/photo-offsets.bin", dtype=np.float64).astype(np.int64)
        self.file = os.open(f"{folder}/photos.bin", os.O_RDONLY)
        self.size = (int(PHOTO["resize"] * PHOTO["width"] / PHOTO["height"]), PHOTO["resize"])
        self.mean = torch.tensor([0.485, 0.456, 0.406]).view(-1, 1, 1)
        self.deviation = torch.tensor([0.229, 0.224, 0.225]).view(-1, 1, 1)

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        at, crop = self.offsets[i], PHOTO["crop"]
        bytes = os.pread(self.file, self.offsets[i + 1] - at, at)
        image = Image.open(io.BytesIO(bytes)).convert("RGB").resize(self.size, Image.BILINEAR)
        left, top = np.random.randint(self.size[0] - crop + 1), np.random.randint(self.size[1] - crop + 1)
        image = image.crop((left, top, left + crop, top + crop))
        if np.random.randint(2):
            image = image.transpose(Image.FLIP_LEFT_RIGHT)
        x = torch.from_numpy(np.array(image, copy=True)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        return {"x": x.sub_(self.mean).div_(self.deviation), "y": i % 10}


class Records(Dataset):
    def __init__(self, count):
        self.count = count
        self.file = os.open(f"{folder}/records.bin", os.O_RDONLY)

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        row = bytearray(os.pread(self.file, RECORD["bytes"], i * RECORD["bytes"]))
        x = torch.frombuffer(row, dtype=torch.float32, count=RECORD["features"])
        return {"x": x, "y": int.from_bytes(row[-4:], "little")}


task, data = {"images": (IMAGE, Images), "photos": (PHOTO, Photos), "records": (RECORD, Records)}[row]
count = task["count"] // quick
loader = DataLoader(data(count), batch_size=task["batch"], shuffle=True, num_workers=2)


def cpu():
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


seen, start, last, before = 0, 0.0, 0.0, cpu()
for batch in loader:
    if start == 0:
        start = time.perf_counter()
    else:
        seen += len(batch["y"])
    last = time.perf_counter()
del loader  # its workers end, and their time counts
gc.collect()


def show(name, value):
    print(json.dumps({"row": f"{row}{name}", "value": value}))


show(" per second", seen / (last - start))
show(": processor time each", (cpu() - before) * 1e6 / seen)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + 2 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
show(": peak memory", peak / 1024)
