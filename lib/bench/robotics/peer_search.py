"""The cheapest path on a grid of four neighbours: scikit-image's `route_through_array` (Dijkstra's), NetworkX' `astar_path`."""
import networkx
import numpy as np
from skimage.graph import route_through_array


def contenders(data):
    width, height = data["width"], data["height"]
    blocked = np.array(data["cells"]).reshape(height, width) > 0
    costs = np.where(blocked, -1.0, 1.0)  # below 0: no way through
    start, goal = data["start"], data["goal"]
    ends = [(cell // width, cell % width) for cell in (start, goal)]

    def by_scikit():
        _, cost = route_through_array(costs, *ends, fully_connected=False, geometric=True)
        return {"cost": float(cost)}

    graph = networkx.Graph()
    free = np.flatnonzero(~blocked.ravel())
    graph.add_nodes_from(free.tolist())
    for blocked_too, apart in ((blocked[:, :-1] | blocked[:, 1:], 1), (blocked[:-1] | blocked[1:], width)):
        rows, columns = np.nonzero(~blocked_too)
        first = rows * width + columns
        graph.add_edges_from(zip(first.tolist(), (first + apart).tolist()))
    column, row = goal % width, goal // width

    def by_networkx():
        path = networkx.astar_path(graph, start, goal, lambda u, _: abs(u % width - column) + abs(u // width - row))
        return {"cost": len(path) - 1}

    return {"scikit-image": by_scikit, "networkx": by_networkx}
