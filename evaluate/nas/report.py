"""A ranking as text, Markdown, CSV, JSON or LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from ddbench.evaluate.leaderboard.formatting import duration, percent, size
from ddbench.evaluate.nas.rank_correlation import KS, RankEstimate
from ddbench.evaluate.nas.ranking import Ranking, RankingEntry
from ddbench.files.tables import Heading, Report, table_of


def render(ranking: Ranking, form: str = "text") -> str:
    """Write a ranking, without a newline at its end.

    Args:
        ranking: Networks ranked by what they were trained on.
        form: One of ``ddbench.files.tables.FORMS``; in CSV one line a ranking: a measure, and the ends of its interval
            as ``_low`` and ``_high``, empty where undefined.

    Returns:
        The text.

    Raises:
        UserError: Another form.
    """
    tables = [table_of(cells) for cells in (_whole(ranking), _among_the_best(ranking), _chosen(ranking)) if cells]
    document = as_dict(ranking)
    return Report(
        blocks=[Heading(title(ranking)), *tables, "\n".join(_legend(ranking))],
        records=list(map(_record, document["rankings"])),
        document=document,
    ).write(form)


def as_dict(ranking: Ranking) -> dict[str, Any]:
    """All of a ranking as JSON.

    Args:
        ranking: Ranking.

    Returns:
        The document, accuracies of every network and seed included.
    """
    truth = ranking.truth
    return {
        "space": ranking.space,
        "dataset": ranking.dataset,
        "facts": dict(ranking.facts),
        "seeds": list(range(max(map(_trainings, ranking.entries)))),
        "networks": list(ranking.networks),
        "parameters": dict(ranking.parameters),
        "truth": {
            "from": truth.where or "trained",
            "facts": dict(truth.facts),
            "images": ranking.real_images,
            "bytes": ranking.real_bytes,
            "seconds": ranking.real_seconds,
            "best": ranking.best,
            "accuracy": {network: list(values) for network, values in truth.accuracy.items()},
            "test": {network: list(values) for network, values in truth.test.items()},
        },
        "rankings": [
            {
                "trained_on": entry.label,
                "images": entry.images,
                "bytes": entry.bytes,
                "seconds": entry.seconds,
                "measures": {name: measure.as_dict() for name, measure in entry.measures.items()},
                "chosen": entry.chosen,
                "ties": entry.ties,
                "chosen_accuracy": fmean(truth.accuracy[entry.chosen]),
                "chosen_test": list(truth.test.get(entry.chosen, ())),
                "scores": {network: list(values) for network, values in entry.scores.items()},
            }
            for entry in ranking.entries
        ],
        "notes": list(ranking.notes),
    }


def _record(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A ranking as a line of CSV."""
    record = {key: entry[key] for key in ("trained_on", "images", "bytes", "seconds")}
    for name, measure in entry["measures"].items():
        record |= {name: measure["value"], f"{name}_low": measure["low"], f"{name}_high": measure["high"]}
    test = entry["chosen_test"]
    chosen = {key: entry[key] for key in ("chosen", "ties", "chosen_accuracy")}
    return {**record, **chosen, "chosen_test": fmean(test) if test else None}


def title(ranking: Ranking) -> str:
    """Heading of a ranking: data, space, protocol and seeds.

    Args:
        ranking: Ranking.

    Returns:
        One line.
    """
    facts = ranking.facts
    recipe = f"{facts['protocol'][0]}, {facts['epochs']} epochs, {facts['augmentation']}"
    return f"{ranking.dataset} · {ranking.space}, {len(ranking.networks)} networks · {recipe} · {_seeds(ranking)}"


def _whole(ranking: Ranking) -> list[dict[str, str]]:
    return [
        {
            "trained on": entry.label,
            "images": str(entry.images) if entry.images else "",
            "stored": size(entry.bytes) if entry.bytes else "",
            "time": duration(entry.seconds) if entry.seconds else "",
            "Spearman": _describe(entry.measures["spearman"]),
            "Kendall": _describe(entry.measures["kendall"]),
            "regret": _points(entry.measures["regret"]),
        }
        for entry in ranking.entries
    ] + [
        {
            "trained on": "real images (the truth)",
            "images": str(ranking.real_images),
            "stored": size(ranking.real_bytes),
            "time": "" if ranking.real_seconds is None else duration(ranking.real_seconds),
            "Spearman": "1",
            "Kendall": "1",
            "regret": "0",
        }
    ]


def _among_the_best(ranking: Ranking) -> list[dict[str, str]]:
    lines = []
    for name, word in (("spearman", "Spearman"), ("kendall", "Kendall")):
        for entry in ranking.entries:
            line = {"among the best": word, "trained on": entry.label}
            for whose in ("truth", "proxy"):
                for k in KS:
                    if measure := entry.measures.get(f"{name}.{whose}.{k}"):
                        line[f"{k} by {whose}"] = _describe(measure)
            lines.append(line)
    return lines if lines and len(lines[0]) > 2 else []


def _chosen(ranking: Ranking) -> list[dict[str, str]]:
    named = [(entry.label, entry.chosen) for entry in ranking.entries]
    return [
        {
            "chosen by": label,
            "network": network,
            "parameters": f"{ranking.parameters[network]:,}",
            "validation" if ranking.truth.facts else "true": _accuracy(ranking.truth.accuracy, network),
            "test": _accuracy(ranking.truth.test, network),
        }
        for label, network in [*named, ("real images (the truth)", ranking.best)]
    ]


def _legend(ranking: Ranking) -> list[str]:
    many = max(len(ranking.truth.accuracy[ranking.best]), *(_trainings(entry) for entry in ranking.entries)) > 1
    sentences = [
        "networks are ranked on the validation split; test: only the chosen networks, trained on real images",
        "regret: true accuracy of the chosen network minus the best, in points",
        "in brackets: 95 % interval over seeds drawn again; coarse with few seeds"
        if many
        else "no intervals: one seed each",
    ]
    undefined = [
        entry.label
        for entry in ranking.entries
        if any(measure.value is None for measure in (entry.measures["spearman"], entry.measures["kendall"]))
    ]
    if undefined:
        sentences.append(f"undefined for {', '.join(undefined)}: all networks have the same score, or there is but one")
    if any(measure.value is None for entry in ranking.entries for measure in entry.measures.values()) and not undefined:
        sentences.append("undefined: all networks looked at have the same score")
    sentences += [
        f"{entry.label}: {entry.ties} networks share the highest score; the first in the space's order is chosen"
        for entry in ranking.entries
        if entry.ties > 1
    ]
    return [*sentences, *ranking.notes]


def _trainings(entry: RankingEntry) -> int:
    return len(entry.scores[entry.chosen])


def _seeds(ranking: Ranking) -> str:
    count = len(ranking.facts["seeds"])
    return f"{count} seed{'s' if count > 1 else ''}"


def _accuracy(accuracies: Mapping[str, tuple[float, ...]], network: str) -> str:
    values = accuracies.get(network)
    return percent(fmean(values), None) if values else ""


def _describe(measure: RankEstimate) -> str:
    if measure.value is None:
        return "undefined"
    return f"{measure.value:.2f}{_interval(measure, 1, 2)}"


def _points(measure: RankEstimate) -> str:
    return "undefined" if measure.value is None else f"{100 * measure.value:.1f}{_interval(measure, 100, 1)}"


def _interval(measure: RankEstimate, scale: float, digits: int) -> str:
    if measure.low is None or measure.high is None:
        return ""
    return f" [{scale * measure.low:.{digits}f}, {scale * measure.high:.{digits}f}]"
