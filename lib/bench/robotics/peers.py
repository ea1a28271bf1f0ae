"""The peers' side of one task after the other: sets one up, runs a contender, answers with its time and result. JSON lines."""
import importlib
import json
import sys
import time

contenders = {}

for line in sys.stdin:
    request = json.loads(line)
    try:
        if "set" in request:
            contenders = importlib.import_module("peer_" + request["set"]).contenders(request["data"])
            answer = {"contenders": list(contenders)}
        else:
            run = contenders[request["run"]]
            start = time.perf_counter()
            result = run()
            answer = {"seconds": time.perf_counter() - start}
            answer["answer"] = result() if callable(result) else result  # made into lists outside of the time
    except Exception as problem:  # told to the one who asked
        answer = {"error": f"{type(problem).__name__}: {problem}"}
    print(json.dumps(answer), flush=True)
