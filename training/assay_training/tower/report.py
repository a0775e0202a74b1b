"""Prints results as the table that the model card quotes."""

from __future__ import annotations

from assay_training import report


def print_results(results: dict) -> None:
    """Prints everything in a results file, one figure a line."""
    for line in lines(results):
        print(line, flush=True)


def lines(results: dict) -> list[str]:
    """The protocol as text."""
    text = [
        f"out of fold, {results['images']} images, {results['prompts']} prompts, seeds {results['seeds']}; "
        f"a generator's mean alone: SRCC {results['generatorMean']:.3f}"
    ]
    for aspect in ("quality", "alignment"):
        text += _aspect(aspect, results[aspect])
    for name in ("unseen", "unseenAlignment"):
        text += _unseen(name, results[name])
    text.append(f"right prompt beats another one: {with_ci(results['rightPrompt'])}")
    return text + _damage(results["damage"])


def with_ci(entry: dict) -> str:
    """A value with its 95 % interval, and the paired gain over the last scorer if there is one."""
    text = report.with_ci(entry)
    if "gain" in entry:
        gain = entry["gain"]
        text += f", gain {gain['value']:+.3f} ({gain['ci'][0]:+.3f} to {gain['ci'][1]:+.3f})"
    return text


def agreement_lines(aspect: str, table: dict) -> list[str]:
    """Pooled, inside generators, and choosing among four."""
    names = ("srcc", "plcc", "krcc", "rmse", "withinMean", "bestOf4")
    return [f"{aspect} {name}: {with_ci(table[name])}" for name in names]


def _aspect(aspect: str, table: dict) -> list[str]:
    text = agreement_lines(aspect, table)
    coverage = table["coverage"]
    for generator, share in coverage["generators"].items():
        text.append(f"{aspect} {generator}: SRCC {table['within'][generator]:.3f}, coverage {share:.3f}")
    text.append(
        f"{aspect} coverage: {coverage['value']:.3f}, worst generator {coverage['worst']:.3f}, mean width "
        f"{coverage['meanWidth']:.2f}, SRCC of spread and error {coverage['spreadSrcc']:.2f}"
    )
    if "qualityInItsPlace" in table:
        place = table["qualityInItsPlace"]
        text.append(
            f"{aspect} by quality in its place: SRCC {place['srcc']:.3f}, within {place['within']:.3f}"
        )
    return text


def _unseen(name: str, table: dict) -> list[str]:
    each = ", ".join(f"{family} {value:.2f}" for family, value in table["families"].items())
    return [
        f"{name}, family left out: pooled {with_ci(table['pooled'])}, within {with_ci(table['within'])}",
        f"{name}, by family: {each}",
    ]


def _damage(table: dict) -> list[str]:
    text = [f"damage: {table['steps']:.3f} of the steps lower the score ({table['images']} good images)"]
    for kind, entry in table["kinds"].items():
        steps = ", ".join(f"{share:.2f}" for share in entry["steps"])
        places = " > ".join(f"{share:.0%}" for share in entry["percentiles"])
        text.append(f"damage {kind} {entry['strengths']}: steps {steps}, percentiles {places}")
    return [*text, f"damage, white noise: percentile {table['noisePercentile']:.0%}"]
