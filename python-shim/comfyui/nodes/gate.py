"""Good images go on, bad ones are held back, each by itself and with all that belongs to it."""

from __future__ import annotations

from collections import Counter

from ..arrangement import PLACES, SINGLES, Workflow
from ..definitions import defined
from ..fingerprint import fingerprint
from ..giving import given_out
from ..host import running_workflow, workflow_around
from ..inputs import Pictures, one, pictures
from ..page import shown
from ..policy import complaint, policy_for
from ..report import line, prompt_lines, summary
from ..request import prompts_of, stop_on_failure, verdicts_on

#: Outputs by the daemon's decision.
BRANCHES = {"accept": "accepted", "reject": "rejected", "unsure": "unsure"}
#: Where the daemon's "unsure" goes, by the choice of the user.
UNSURE = {"accept": "accepted", "reject": "rejected", "separate": "unsure"}


def policy_of(aspect, measure, threshold, unsure_within_interval) -> dict:
    """The same from what the widgets hold. Raises ValueError saying what makes no sense."""
    named = {"aspect": aspect, "measure": measure, "threshold": threshold, "unsure": unsure_within_interval}
    chosen = [one(values, name, "Assay Gate") for name, values in named.items()]
    if wrong := complaint(*chosen[1:3]):
        raise ValueError(f"Assay Gate: {wrong}")
    return policy_for(*chosen)


@defined("AssayGate")
class AssayGate:
    @classmethod
    def IS_CHANGED(cls, scorer=("",), compact=(False,), unique_id=(None,), **_others):
        """What stands behind the gate decides the form of its outputs, and is no part of what the host compares."""
        behind = running_workflow(unique_id[0])
        forms = [form_of(behind, unique_id[0], name, compact[0]) for name in BRANCHES.values()]
        notes = [gap_note(behind, unique_id[0], name) for name, form in zip(BRANCHES.values(), forms) if form == PLACES]
        return " ".join([fingerprint(scorer[0] or ""), *forms, *filter(None, notes)])

    @classmethod
    def VALIDATE_INPUTS(cls, threshold=(None,), measure=(None,)):
        return complaint(measure[0], threshold[0]) or True

    def run(
        self,
        images,
        aspect,
        measure,
        threshold,
        unsure_within_interval,
        unsure,
        on_failure,
        compact=(False,),
        prompt=("",),
        scorer=("",),
        masks=None,
        latents=None,
        unique_id=(None,),
        dynprompt=(None,),
    ):
        policy = policy_of(aspect, measure, threshold, unsure_within_interval)
        given = pictures(images, prompt, masks, latents)
        verdicts = verdicts_on(given, scorer[0], (unique_id[0], dynprompt[0]), policy)
        if on_failure[0] == "stop":
            stop_on_failure(verdicts)
        branches = [branch_of(verdict, unsure[0], on_failure[0]) for verdict in verdicts]
        behind = workflow_around(dynprompt[0])
        forms = {name: form_of(behind, unique_id[0], name, compact[0]) for name in BRANCHES.values()}
        notes = [gap_note(behind, unique_id[0], name) for name in forms if _has_gaps(forms[name], branches, name)]
        ui, report = _said(unique_id[0], given, verdicts, branches, list(filter(None, notes)))
        return {"ui": ui, "result": _outputs(given, prompts_of(given, verdicts), branches, forms, report)}


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


def form_of(behind: Workflow | None, node_id, name: str, compact: bool) -> str:
    """The form in which a branch leaves; as long as nobody tells what stands behind it, everything keeps its place."""
    if compact:
        return SINGLES
    return PLACES if behind is None else behind.form_behind(str(node_id), _shaped(name))


def gap_note(behind: Workflow | None, node_id, name: str) -> str | None:
    """Says which nodes do not run because of the gaps of a branch."""
    readers = behind.whole_list_readers(str(node_id), _shaped(name)) if behind else []
    if not readers:
        return None
    return (
        f"{', '.join(readers)} behind `{name}` does not run: another list meets the images there, so that each keeps "
        "its place, and it takes whole lists alone. Switch `compact` on, or take that list through the gate"
    )


def _shaped(name: str) -> set[int]:
    """Places of the outputs of a branch whose form depends on what stands behind them."""
    return {AssayGate.RETURN_NAMES.index(n) for n in (name, f"{name}_masks", f"{name}_latents")}


def _has_gaps(form: str, branches: list, name: str) -> bool:
    return form == PLACES and name in branches and any(branch != name for branch in branches)


def _said(node_id, given: Pictures, verdicts: list[dict], branches: list, notes: list[str]) -> tuple[dict, str]:
    """What the node shows, and the whole report."""
    labels = [label_of(verdict, branch) for verdict, branch in zip(verdicts, branches)]
    head = summary(verdicts, _counts(labels) + given.left_out())
    if branches and "accepted" not in branches:
        head = f"0 of {len(branches)} passed, and what is connected to `accepted` does not run\n{head}"
    lines = [line(place, verdict, label) for place, (verdict, label) in enumerate(zip(verdicts, labels))]
    ends = [*notes, *prompt_lines(verdicts)]
    return shown(node_id, head, lines, ends, verdicts, labels), "\n".join([head, *lines, *ends])


def _counts(labels: list[str]) -> str:
    tally = {"accepted": 0, "rejected": 0, **Counter(labels)}
    return ": " + ", ".join(f"{count} {label}" for label, count in tally.items())


def _outputs(given: Pictures, prompts: list[str], branches: list, forms: dict[str, str], report: str) -> tuple:
    """In the order of the definition: the images of each branch, the report, then what goes along with each."""
    leaving = []
    for name, form in forms.items():
        chosen = [place for place, branch in enumerate(branches) if branch == name]
        leaving.append(given_out(given, chosen, prompts, form))
    return (*(images for images, *_ in leaving), report, *(thing for _, *along in leaving for thing in along))
