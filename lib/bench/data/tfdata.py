"""tf.data on the same files: BENCH_ROW, BENCH_DATA, BENCH_TASKS (sizes)."""
import json, os, resource, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import numpy as np
import tensorflow as tf

folder, row = os.environ["BENCH_DATA"], os.environ["BENCH_ROW"]
quick = 4 if os.environ.get("BENCH_QUICK") == "1" else 1
sizes = json.loads(os.environ["BENCH_TASKS"])
task = sizes[{"photos": "PHOTO", "records": "RECORD"}[row]]
count = task["count"] // quick
WORKERS = 2


def photos():
    """tf.data has no positional reads: the bytes are in memory, which is to its advantage."""
    offsets = np.fromfile(f"{folder}/photo-offsets.bin", dtype=np.float64).astype(np.int64)[: count + 1]
    whole = open(f"{folder}/photos.bin", "rb").read(int(offsets[-1]))
    files = tf.constant([whole[a:b] for a, b in zip(offsets[:-1], offsets[1:])])
    wide = int(task["resize"] * task["width"] / task["height"])
    mean, deviation = tf.constant([123.675, 116.28, 103.53]), tf.constant([58.395, 57.12, 57.375])

    def work(i):
        image = tf.io.decode_jpeg(files[i], channels=3, dct_method="INTEGER_ACCURATE")
        image = tf.image.resize(image, [task["resize"], wide], antialias=True)
        image = tf.image.random_flip_left_right(tf.image.random_crop(image, [task["crop"], task["crop"], 3]))
        return tf.transpose((image - mean) / deviation, [2, 0, 1]), tf.cast(i % 10, tf.int32)

    order = tf.data.Dataset.range(count).shuffle(count)
    return order.map(work, num_parallel_calls=WORKERS, deterministic=True)


def records():
    """In order through a buffer: its record files can't be read by position."""
    features, size = task["features"], task["bytes"]
    data = tf.data.FixedLengthRecordDataset(f"{folder}/records.bin", size).take(count).shuffle(4096)

    def work(bytes):
        x = tf.io.decode_raw(tf.strings.substr(bytes, 0, 4 * features), tf.float32)
        return tf.reshape(x, [features]), tf.io.decode_raw(tf.strings.substr(bytes, 4 * features, 4), tf.int32)[0]

    return data.map(work, num_parallel_calls=WORKERS, deterministic=True)


options = tf.data.Options()
options.threading.private_threadpool_size = WORKERS
loader = {"photos": photos, "records": records}[row]().batch(task["batch"]).prefetch(2).with_options(options)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


seen, start, last, before = 0, 0.0, 0.0, 0.0
for x, y in loader:
    if start == 0:
        start, before = time.perf_counter(), cpu()
    else:
        seen += int(y.shape[0])
    last = time.perf_counter()


def show(name, value):
    print(json.dumps({"row": f"{row}{name}", "value": value}))


show(" per second", seen / (last - start))
show(": processor time each", (cpu() - before) * 1e6 / seen)
show(": peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
