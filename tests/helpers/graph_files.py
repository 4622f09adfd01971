"""Small graph sets written in the layouts in which they are published."""

import gzip
import zipfile


def write_tu(folder, name, *, edges, indicator, classes, **more):
    """Text files of the TU layout; more: node_labels, edge_labels, node_attributes and so on, lists of lines."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = {"A": [f"{a}, {b}" for a, b in edges], "graph_indicator": indicator, "graph_labels": classes, **more}
    for kind, values in lines.items():
        if values is not None:
            (folder / f"{name}_{kind}.txt").write_text("".join(f"{value}\n" for value in values))


def triangles_and_paths(count=20, **more):
    """The lines of ``count`` graphs, triangles and paths of three nodes in turn, and their classes."""
    edges, labels = [], []
    for g in range(count):
        at = 3 * g
        pairs = [(at + 1, at + 2), (at + 2, at + 3)] + ([(at + 1, at + 3)] if g % 2 else [])
        edges += [pair for a, b in pairs for pair in ((a, b), (b, a))]
        labels += [4, 4, 7]
    return {
        "edges": edges,
        "indicator": [1 + node // 3 for node in range(3 * count)],
        "classes": [1 if g % 2 else -1 for g in range(count)],
        "node_labels": labels,
        **more,
    }


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.writelines(",".join(str(value) for value in row) + "\n" for row in rows)


def write_ogb(folder, graphs=12, **change):
    """A set in OGB's raw layout: paths of 2 and 3 atoms in turn, nine columns a node, three a bond, each bond once."""
    counts = [2 + g % 2 for g in range(graphs)]
    tables = {
        "raw/num-node-list": [[count] for count in counts],
        "raw/num-edge-list": [[count - 1] for count in counts],
        "raw/edge": [[a, a + 1] for count in counts for a in range(count - 1)],
        "raw/node-feat": [[5 + a, g % 2, *range(7)] for g, count in enumerate(counts) for a in range(count)],
        "raw/edge-feat": [[a, 0, g % 2] for g, count in enumerate(counts) for a in range(count - 1)],
        "raw/graph-label": [[g % 2] for g in range(graphs)],
        "split/scaffold/train": [[g] for g in range(graphs - 4)],
        "split/scaffold/valid": [[g] for g in (graphs - 1, graphs - 4)],
        "split/scaffold/test": [[g] for g in (graphs - 3, graphs - 2)],
    }
    for name, rows in {**tables, **change}.items():
        if rows is not None:
            write_csv(folder / f"{name}.csv.gz", rows)


def zipped(path, folder, top):
    """A zip file of everything in ``folder``, under ``top/`` as publishers do."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{top}/{file.relative_to(folder).as_posix()}")
    return path
