"""Rows of many kinds for the tests of the leaderboard page, and of a kind that means harm."""

import io
import random

from PIL import Image

from helpers.evaluation_makers import make_tiny_row

HOSTILE = (
    "</script><img src=x onerror=\"document.title='broken'\">",
    "<!--<script>document.title='broken'</script>",
    "'\"><svg onload=\"document.title='broken'\">",
    "${page} {{7*7}} &lt;b&gt; \u2028\u202e\x1b end",
    "javascript:document.title='broken'",
)


def some_rows():
    """Two data sets with a curve each, one of them also on three networks, oracle rows, ties, and published methods."""
    draw = random.Random(1)

    def row(**changes):
        accuracy = tuple(draw.uniform(0.3, 0.6) for _ in range(3))
        key = f"{changes['label']}-{changes['dataset']}-{changes['ipc']}-{changes.get('selection')}"
        fields = {"method": changes["label"], "accuracy": accuracy, "seeds": (0, 1, 2), "synthetic_sha256": key}
        images = {"images": 1000 * changes["ipc"], "labels": 80}
        return make_tiny_row(**{"bytes": images, "seconds": draw.uniform(1, 5000), **fields, **changes})

    rows = [
        row(label=label, dataset=dataset, ipc=ipc, network=network, student=network, recipe={"dataset": dataset})
        for dataset, network in (("digits", "convnet-d2-w32"), ("cifar10", "convnet-d3"))
        for ipc in (1, 10, 50)
        for label in ("mtt", "datm", "random")
    ]
    pool = {"dataset": "cifar10", "ipc": 10, "student": "convnet-d3", "lr_policy": "search", "lr_tried": (0.01, 0.1)}
    rows += [
        row(label=label, network=network, lr=0.1, pool="mtt-pool", **pool)
        for network in ("convnet-d3", "vgg11", "resnet18")
        for label in ("mtt", "datm")
        if (network, label) != ("vgg11", "datm")
    ]
    rows.append(row(label="mtt", dataset="digits", ipc=1, selection="oracle", accuracy=(0.9, 0.9, 0.9)))
    rows.append(row(label="far, from", method="ftd", dataset="digits", ipc=1, seconds=0.0, note="made by hand"))
    return rows


def graph_rows(ipcs=(5,)):
    """Mirage on two networks beside random graphs, and the counts that need no learning, which are no worse."""
    draw = random.Random(2)

    def row(label, ipc, network, score, **changes):
        scores = tuple(score + draw.uniform(-0.02, 0.02) for _ in range(3))
        fields = {"method": label, "roc_auc": scores, "accuracy": tuple(s - 0.1 for s in scores), "seeds": (0, 1, 2)}
        fields |= {"bytes": {"trees": 30 * ipc, "items": 10, "labels": 2 * ipc}, "charged": {"graphs": 64 * ipc}}
        fields |= {"items": 2 * ipc - 1, "synthetic_sha256": f"{label}-{ipc}", "seconds": draw.uniform(0.1, 2)}
        common = {"label": label, "dataset": "tu-NCI1", "ipc": ipc, "network": network, "student": None}
        return make_tiny_row(**{**common, "protocol": "graphs-v1", **fields, **changes})

    rows = []
    for ipc in ipcs:
        for network in ("gcn-sum", "gin-sum"):
            rows += [row("mirage", ipc, network, 0.66), row("random-graphs", ipc, network, 0.62, charged={})]
            for label, score in (("node-count", 0.6814), ("edge-count", 0.67), ("label-histogram", 0.65)):
                alone = {"roc_auc": (score,), "accuracy": (0.61,), "seeds": (0,), "synthetic_sha256": label}
                none = {"bytes": {"coefficients": 8}, "charged": {}, "items": None, "seconds": 0.0, "peak_bytes": 0}
                rows.append(row(label, ipc, network, score, **alone, **none))
    return rows


def hostile_rows():
    """Every text of a row is an attack, in turn."""
    return [
        make_tiny_row(
            method=text,
            label=text,
            dataset=text,
            network=text,
            student=text,
            protocol=text,
            note=text,
            device=text,
            code=text,
            pool=text,
            versions={text: text},
            bytes={text: 10},
            teachers={text: 10},
            synthetic_sha256=text,
            recipe={"name": text, text: [text, {"x": text}]},
        )
        for text in HOSTILE
    ]


def tiny_picture(kind="PNG") -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 30, 90)).save(target, format=kind)
    return target.getvalue()
