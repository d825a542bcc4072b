"""Beads as METIS clusters of the bond graph.

METIS (Karypis and Kumar, SIAM J. Sci. Comput. 20, 359 (1998)) makes clusters of nearly equal size
that cut few bonds. It may leave a cluster empty or in pieces; that is repaired here.
"""

import numpy as np
import pymetis
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from cgsim.io import Molecule
from cgsim.io.files import is_positive
from cgsim.mapping.bead_mapping import Mapping, atoms_of_sites, mapping_from_index


def map_metis(molecule: Molecule, *, atoms_per_bead: float) -> Mapping:
    """Cluster the bond graph into beads of about `atoms_per_bead` atoms.

    Each bonded component is clustered on its own, into at least one bead. Every bead is connected
    by bonds; virtual sites go with their atom. Beads are numbered by their first atom, so along a
    chain. Deterministic.

    Parameters
    ----------
    molecule
        What to map.
    atoms_per_bead
        Mean size wanted, at least 1 (each atom a bead).

    Raises
    ------
    ValueError
        If `atoms_per_bead` is below 1 or no number.
    """
    if not is_positive(atoms_per_bead) or atoms_per_bead < 1:
        raise ValueError(f"atoms_per_bead must be a number of at least 1, not {atoms_per_bead!r}")
    n_atoms = molecule.n_atoms
    i, j = np.concatenate([molecule.bond_index, molecule.bond_index[::-1]], axis=1)
    graph = coo_array((np.ones(len(i), dtype=np.int32), (i, j)), shape=(n_atoms, n_atoms)).tocsr()
    graph.sort_indices()
    _, component = connected_components(graph, directed=False)
    cluster = np.empty(n_atoms, dtype=np.int64)
    n_clusters = 0
    for atoms in np.split(
        np.argsort(component, kind="stable"), np.cumsum(np.bincount(component))[:-1]
    ):
        k = min(len(atoms), max(1, int(len(atoms) / atoms_per_bead + 0.5)))
        cluster[atoms] = n_clusters + (0 if k == 1 else partition(graph[atoms][:, atoms], k))
        n_clusters += k
    cluster = cluster[atoms_of_sites(molecule)]
    recipe = {"method": "metis", "atoms_per_bead": atoms_per_bead}
    return mapping_from_index(molecule, _numbered_by_first(cluster), recipe=recipe)


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
