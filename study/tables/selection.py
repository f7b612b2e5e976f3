"""Selection: how many variants were tried before the study."""

from __future__ import annotations

from scipy import integrate, stats

from ..running.results import Results
from .pairing import share
from .table import Column, Table, Value


def selection(results: Results) -> Table | None:
    """What choosing the best of several variants can have made of nothing; `None` where only one was tried."""
    study = results.header.study
    if study.tried < 2:
        return None
    rows: list[dict[str, Value]] = []
    for arm in results.arms:
        found = share(results, results.scores(arm.name))
        if found:
            error = (found.high - found.low) / 2 / float(stats.norm.ppf(0.975))
            rows.append({"arm": arm.name, "tried": study.tried, "luck": expected_best(study.tried) * error})
    columns = (
        Column("arm", "arm"),
        Column("tried", "tried", "count", about="Variants compared before the study."),
        Column("luck", "luck", "points", about="What the best of so many equals would have by chance, points."),
    )
    about = (
        f"{study.tried} variants were compared before this study was fixed. Had they been compared on items like these "
        "and as many, the best of equally good ones would look better by about the points below (expected maximum of "
        "independent normal errors; less where they fail on the same items). A comparison on a development split "
        "leaves nothing of that here."
    )
    return Table("selection", "Selection", about, columns, rows)


def expected_best(number: int) -> float:
    """Expected maximum of so many independent standard normal values (Tippett 1925)."""
    return float(
        integrate.quad(lambda x: x * number * stats.norm.pdf(x) * stats.norm.cdf(x) ** (number - 1), -12, 12)[0]
    )
