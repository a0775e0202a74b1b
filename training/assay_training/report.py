"""Prints results as the table that the model card quotes."""

from __future__ import annotations


def print_results(results: dict) -> None:
    """Prints everything in a results file, one figure a line."""
    for line in lines(results):
        print(line, flush=True)


def lines(results: dict) -> list[str]:
    """The table as text: pooled, within generator, coverage, unseen family, degradation, alignment, speed."""
    text = [
        f"out of fold, {results['images']} images, {results['prompts']} prompts; default {results['default']}"
    ]
    for variant, table in results["quality"].items():
        text += _quality(variant, table)
    text += [f"int8 costs {results['int8Loss']:.4f} SRCC"]
    for kind, table in results["unseen"].items():
        text += _unseen(kind, table) if table else [f"unseen family, {kind}: not run"]
    for name, table in results["degradation"].items():
        text += _degradation(name, table)
    for name, entry in results["alignment"]["candidates"].items():
        text.append(
            f"alignment by {name}: SRCC {entry['srcc']:.3f}, within {with_ci(entry['within'])}, "
            f"against quality {with_ci(entry['gain'])}"
        )
    text += [f"speed, one thread, one image: {name} {value:.3g}" for name, value in results["speed"].items()]
    return text


def with_ci(entry: dict) -> str:
    """A value with its 95 % interval."""
    return f"{entry['value']:.3f} ({entry['ci'][0]:.3f} to {entry['ci'][1]:.3f})"


def _quality(variant: str, table: dict) -> list[str]:
    text = [f"{variant} {name}: {with_ci(table[name])}" for name in ("srcc", "plcc", "krcc", "rmse")]
    text.append(f"{variant} within generator, mean: {with_ci(table['withinMean'])}")
    coverage = table["coverage"]
    for generator, share in coverage["generators"].items():
        text.append(f"{variant} {generator}: SRCC {table['within'][generator]:.3f}, coverage {share:.3f}")
    text.append(
        f"{variant} coverage: {coverage['value']:.3f}, mean width {coverage['meanWidth']:.2f}, "
        f"SRCC of width and error {coverage['spreadSrcc']:.2f}"
    )
    best = table["bestOf4"]
    low, high = best["gainCi"]
    text.append(
        f"{variant} best of 4 (SD1.5): pick {best['pick']:.2f}, random {best['random']:.2f}, "
        f"best {best['best']:.2f}, gain {best['gain']:.2f} ({low:.2f} to {high:.2f})"
    )
    return text


def _unseen(kind: str, table: dict) -> list[str]:
    each = ", ".join(f"{name} {value:.2f}" for name, value in table["families"].items())
    return [
        f"unseen family, {kind}: pooled {with_ci(table['pooled'])}, within {with_ci(table['within'])}",
        f"unseen family, {kind}: {each}",
    ]


def _degradation(name: str, table: dict) -> list[str]:
    text = [
        f"degradation {name}: {table['steps']:.3f} of the steps lower the score, "
        f"{table['belowOriginal']:.3f} are below the original ({table['images']} images)"
    ]
    for kind, entry in table["kinds"].items():
        steps = ", ".join(f"{share:.2f}" for share in entry["steps"])
        means = " > ".join(f"{score:.2f}" for score in entry["meanScores"])
        text.append(f"degradation {name}: {kind} {entry['strengths']}: steps {steps}, mean scores {means}")
    return text


def shortened(value: object, digits: int = 4) -> object:
    """Results with floats rounded, so that the committed file stays readable."""
    if isinstance(value, dict):
        return {key: shortened(entry, digits) for key, entry in value.items()}
    if isinstance(value, list):
        return [shortened(entry, digits) for entry in value]
    return round(value, digits) if isinstance(value, float) else value
