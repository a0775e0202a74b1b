"""Good images go on, bad ones are held back, each by itself."""

from __future__ import annotations

from collections import Counter
from itertools import count

from ..blocking import or_blocked
from ..definitions import defined
from ..fingerprint import fingerprint
from ..images import single_images
from ..page import first_place, shown
from ..report import line, summary
from ..request import stop_on_failure, verdicts_on

#: Outputs by the daemon's decision.
BRANCHES = {"accept": "accepted", "reject": "rejected", "unsure": "unsure"}
#: Where the daemon's "unsure" goes, by the choice of the user.
UNSURE = {"accept": "accepted", "reject": "rejected", "separate": "unsure"}
MEASURES = ("percentile", "MOS", "reward")


def policy_for(aspect: str, measure: str, threshold: float, unsure_within_interval: bool) -> dict:
    """The thresholds as the daemon takes them."""
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


@defined("AssayGate")
class AssayGate:
    @classmethod
    def IS_CHANGED(cls, scorer="", **_others):
        return fingerprint(scorer or "")

    @classmethod
    def VALIDATE_INPUTS(cls, threshold=None, measure=None):
        return complaint(measure, threshold) or True

    def run(
        self,
        images,
        aspect,
        measure,
        threshold,
        unsure_within_interval,
        unsure,
        on_failure,
        compact=False,
        prompt="",
        scorer="",
        unique_id=None,
    ):
        if wrong := complaint(measure, threshold):
            raise ValueError(f"Assay Gate: {wrong}")
        policy = policy_for(aspect, measure, threshold, unsure_within_interval)
        singles = single_images([images])
        verdicts = verdicts_on(singles, [prompt], scorer, policy)
        if on_failure == "stop":
            stop_on_failure(verdicts)
        branches = [branch_of(verdict, unsure, on_failure) for verdict in verdicts]
        labels = [label_of(verdict, branch) for verdict, branch in zip(verdicts, branches)]
        lines = [line(*numbered) for numbered in zip(count(first_place()), verdicts, labels)]
        head = summary(verdicts, _counts(labels))
        outputs = [_output(singles, branches, name, compact) for name in BRANCHES.values()]
        ui = shown(unique_id, head, lines, verdicts, labels)
        return {"ui": ui, "result": (*outputs, "\n".join([head, *lines]))}


def branch_of(verdict: dict, unsure: str, on_failure: str) -> str | None:
    """The output that an image goes to; None for none."""
    if verdict.get("error"):
        return "accepted" if on_failure == "pass" else None
    decision = verdict.get("decision")
    return UNSURE[unsure] if decision == "unsure" else BRANCHES[decision]


def label_of(verdict: dict, branch: str | None) -> str:
    """What the user reads about where an image went, when it was not an ordinary decision, too."""
    if verdict.get("error"):
        return "passed unscored" if branch else "held back unscored"
    if verdict.get("decision") == "unsure" and branch != "unsure":
        return f"{branch} (unsure)"
    return branch or ""


def _counts(labels: list[str]) -> str:
    tally = {"accepted": 0, "rejected": 0, **Counter(labels)}
    return ": " + ", ".join(f"{count} {label}" for label, count in tally.items())


def _output(singles: list, branches: list[str | None], name: str, compact: bool) -> list:
    chosen = [image[None] if branch == name else None for image, branch in zip(singles, branches)]
    return or_blocked([image for image in chosen if image is not None] if compact else chosen)
