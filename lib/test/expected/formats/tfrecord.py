"""Files that TensorFlow writes, for the tests of TFRecord. Once: pip install tensorflow-cpu==2.21.0; python tfrecord.py"""

import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

here = os.path.dirname(os.path.abspath(__file__))


def ints(values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def floats(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def texts(values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


examples = [
    {"label": ints([7]), "image": texts([bytes(range(256))]), "x": floats([0.5, -1.25, 3e38])},
    {"label": ints([-1, 0, 2**63 - 1, -(2**63), 300, 2**28, 2**35]), "words": texts(["é".encode(), b"", b"two"])},
    {"empty": ints([]), "none": tf.train.Feature(), "nan": floats([float("nan"), float("inf")])},
    {},
]
messages = [
    tf.train.Example(features=tf.train.Features(feature=e)).SerializeToString(deterministic=True) for e in examples
]
for name, kind in (("plain", ""), ("gzip", "GZIP"), ("zlib", "ZLIB")):
    with tf.io.TFRecordWriter(f"{here}/{name}.tfrecord", kind) as out:
        for message in messages:
            out.write(message)
with open(f"{here}/tfrecord.json", "w") as out:
    json.dump({"tensorflow": tf.__version__, "payloads": [m.hex() for m in messages]}, out, indent=1)
    out.write("\n")
