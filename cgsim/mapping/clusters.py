"""Clusters of nodes of a graph, of nearly equal size and each in one piece, with METIS.

METIS (Karypis and Kumar, SIAM J. Sci. Comput. 20, 359 (1998)) makes clusters that cut few edges. It
may leave a cluster empty or in pieces; that is repaired here.
"""

import numpy as np
import pymetis
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components


def connected_clusters(edges: np.ndarray, n_nodes: int, *, mean_size: float) -> np.ndarray:
    """Cluster the nodes of a graph, each connected component on its own.

    Parameters
    ----------
    edges
        ``[2, n_edges]``, each once.
    n_nodes
        Number of nodes.
    mean_size
        Nodes of a cluster, at least 1.

    Returns
    -------
    np.ndarray
        ``[n_nodes]`` the cluster of each node, numbered by their first nodes. Deterministic.
    """
    i, j = np.concatenate([edges, edges[::-1]], axis=1)
    graph = coo_array((np.ones(len(i), dtype=np.int32), (i, j)), shape=(n_nodes, n_nodes)).tocsr()
    graph.sort_indices()
    _, component = connected_components(graph, directed=False)
    cluster = np.empty(n_nodes, dtype=np.int64)
    n_clusters = 0
    for nodes in np.split(
        np.argsort(component, kind="stable"), np.cumsum(np.bincount(component))[:-1]
    ):
        k = min(len(nodes), max(1, int(len(nodes) / mean_size + 0.5)))
        cluster[nodes] = n_clusters + (0 if k == 1 else partition(graph[nodes][:, nodes], k))
        n_clusters += k
    return _numbered_by_first(cluster)


def partition(graph: csr_array, k: int) -> np.ndarray:
    """Part a connected graph into exactly `k` connected, non-empty clusters of similar size.

    Parameters
    ----------
    graph
        ``[n, n]`` symmetric adjacency.
    k
        From 1 to n.

    Returns
    -------
    np.ndarray
        ``[n]`` the cluster of each node, 0 to ``k - 1``.
    """
    n = graph.shape[0]
    if k in (1, n):
        return np.arange(n) if k == n else np.zeros(n, dtype=np.int64)
    _, labels = pymetis.part_graph(
        k,
        adjacency=np.split(graph.indices, graph.indptr[1:-1]),
        recursive=False,
        options=pymetis.Options(seed=0, contig=1),
    )
    cluster = _connected_pieces(graph, np.asarray(labels))
    while cluster.max() + 1 > k:
        cluster = _numbered_by_first(_merge_smallest(graph, cluster))
    while cluster.max() + 1 < k:
        cluster = _split_largest(graph, cluster)
    return cluster


def _connected_pieces(graph: csr_array, cluster: np.ndarray) -> np.ndarray:
    """Give each connected piece of each cluster a number of its own."""
    edges = graph.tocoo()
    inside = cluster[edges.row] == cluster[edges.col]
    kept = (edges.data[inside], (edges.row[inside], edges.col[inside]))
    return connected_components(coo_array(kept, shape=graph.shape), directed=False)[1]


def _merge_smallest(graph: csr_array, cluster: np.ndarray) -> np.ndarray:
    """Join the smallest cluster to its smallest neighbour."""
    size = np.bincount(cluster)
    smallest = int(size.argmin())
    neighbours = np.unique(cluster[graph[np.flatnonzero(cluster == smallest)].indices])
    neighbours = neighbours[neighbours != smallest]
    return np.where(cluster == smallest, neighbours[size[neighbours].argmin()], cluster)


def _split_largest(graph: csr_array, cluster: np.ndarray) -> np.ndarray:
    """Cut the largest cluster at the edge of a spanning tree that halves it best."""
    nodes = np.flatnonzero(cluster == np.bincount(cluster).argmax())
    order, parent = breadth_first_order(graph[nodes][:, nodes], 0, directed=False)
    n_below = np.ones(len(nodes), dtype=np.int64)  # nodes in the branch that starts at each
    for node in order[:0:-1]:
        n_below[parent[node]] += n_below[node]
    root = min(order[1:], key=lambda node: abs(2 * n_below[node] - len(nodes)))
    below = np.zeros(len(nodes), dtype=bool)
    below[root] = True
    for node in order[1:]:
        below[node] |= below[parent[node]]
    cluster = cluster.copy()
    cluster[nodes[below]] = cluster.max() + 1
    return cluster


def _numbered_by_first(cluster: np.ndarray) -> np.ndarray:
    """Renumber clusters in the order of their first members."""
    _, first, label = np.unique(cluster, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[label]
