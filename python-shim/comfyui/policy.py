"""The thresholds of a gate, as the daemon takes them."""

from __future__ import annotations

MEASURES = ("percentile", "MOS", "reward")


def policy_for(aspect: str, measure: str, threshold: float, unsure_within_interval: bool) -> dict:
    policy: dict = {"aspects": {}, "unsureWithinInterval": bool(unsure_within_interval)}
    if measure == "reward":
        policy["minReward"] = float(threshold)
    else:
        key = "minPercentile" if measure == "percentile" else "minScore"
        policy["aspects"] = {aspect: {key: float(threshold)}}
    return policy


def complaint(measure, threshold) -> str | None:
    """What is wrong with a threshold, e.g. a percentage in place of a share; None for what a link will bring."""
    if measure not in (None, *MEASURES):
        return f"measure is one of {', '.join(MEASURES)}, not {measure}"
    if threshold is not None and not isinstance(threshold, (int, float)):
        return f"the threshold is a number, not {threshold!r}"
    most = 100 if measure == "MOS" else 1
    if None not in (measure, threshold) and not 0 <= threshold <= most:
        return f"the threshold of a {measure} is between 0 and {most}, not {threshold:g}"
    return None
