"""What Triton's own clients see of a server: URL of HTTP and of gRPC as arguments; one line of JSON comes out."""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException

http_url, grpc_url = sys.argv[1:3]
x = np.arange(6, dtype=np.float32).reshape(2, 3)


def plain(message):
    """A message of gRPC as the JSON that HTTP gives."""
    return message if isinstance(message, (dict, list)) else json.loads(over_grpc._utils.MessageToJson(message))


def failure(call):
    try:
        call()
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return None


def inputs_of(module, binary):
    given = module.InferInput("x", list(x.shape), "FP32")
    given.set_data_from_numpy(x, **({} if binary is None else {"binary_data": binary}))
    return [given]


def session(module, client, binary):
    answer = client.infer("double", inputs_of(module, binary), request_id="seven")
    named = client.infer(
        "double", inputs_of(module, binary), model_version="1", outputs=[module.InferRequestedOutput("y")]
    )
    seen = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready("double"),
        "no_model_ready": failure(lambda: client.is_model_ready("nobody")) is not None
        or client.is_model_ready("double", "1"),
        "y": answer.as_numpy("y").tolist(),
        "named": named.as_numpy("y").tolist(),
        "unknown_model": failure(lambda: client.infer("nobody", inputs_of(module, binary))),
        "unknown_version": failure(lambda: client.infer("double", inputs_of(module, binary), model_version="9")),
        "late": failure(lambda: client.infer("slow", inputs_of(module, binary), timeout=1000)),
    }
    client.unload_model("other")
    seen["unloaded"] = failure(lambda: client.infer("other", inputs_of(module, binary)))
    client.load_model("other")
    seen["loaded"] = client.infer("other", inputs_of(module, binary)).as_numpy("y").tolist()
    return seen


def http_session(binary):
    client = over_http.InferenceServerClient(http_url)
    seen = session(over_http, client, binary)
    seen["id"] = client.infer("double", inputs_of(over_http, binary), request_id="seven").get_response()["id"]
    seen["metadata"] = client.get_model_metadata("double")
    seen["server"] = client.get_server_metadata()
    seen["config"] = client.get_model_config("double")
    seen["index"] = client.get_model_repository_index()
    client.close()
    return seen


def grpc_session():
    client = over_grpc.InferenceServerClient(grpc_url)
    seen = session(over_grpc, client, None)
    seen["id"] = client.infer("double", inputs_of(over_grpc, None), request_id="seven").get_response().id
    seen["metadata"] = client.get_model_metadata("double", as_json=True)
    seen["server"] = client.get_server_metadata(as_json=True)
    seen["config"] = client.get_model_config("double", as_json=True)["config"]
    seen["index"] = client.get_model_repository_index(as_json=True)["models"]
    seen["deadline"] = failure(lambda: client.infer("slow", inputs_of(over_grpc, None), client_timeout=0.05))
    answers = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    prompt = over_grpc.InferInput("prompt", [3], "INT64")
    prompt.set_data_from_numpy(np.array([5, 6, 7], dtype=np.int64))
    client.async_stream_infer(
        "count", [prompt], request_id="stream", parameters={"max_tokens": 4}, enable_empty_final_response=True
    )
    tokens = []
    while True:
        result, error = answers.get(timeout=60)
        if error is not None:
            raise error
        if result.get_response().parameters["triton_final_response"].bool_param:
            break
        tokens.append(int(result.as_numpy("token")[0]))
    client.stop_stream()
    client.close()
    seen["tokens"] = tokens
    return seen


print(json.dumps({"http": http_session(True), "json": http_session(False), "grpc": grpc_session()}))
