"""The best images of all runs under a name."""

from __future__ import annotations

import threading

from ..blocking import or_blocked
from ..definitions import defined
from ..failures import AssayFailure
from ..fingerprint import fingerprint, note_failure
from ..giving import given_out
from ..inputs import Pictures, one, pictures
from ..page import shown
from ..report import line, prompt_lines, summary
from ..request import prompts_of, stop_on_failure, verdicts_on
from ..seeds import seeds_of
from ..shelf.folder import ShelfFolder
from ..shelf.freshness import freshness, note_left
from ..shelf.goods import Goods
from ..shelf.place import shelf_folder
from ..shelf.shelf import Card
from ..shelf.visit import ON_SHELF, Visit, Wanted
from ..workflow import inputs_of, is_link

NODE = "Assay Shelf"
UNNAMED = "shelf"
SHOWN_SEEDS = 4
#: Packs that run nodes side by side must not lose each other's images.
_lock = threading.Lock()

Taken = list[tuple[Card, Goods]]


@defined("AssayShelf")
class AssayShelf:
    @classmethod
    def IS_CHANGED(cls, scorer=("",), name=(UNNAMED,), unique_id=(None,), **_others):
        """The shelf may have changed without this node: another node, another workflow, a hand."""
        scored_by = fingerprint(scorer[0] or "")
        if name[0] is None:  # a link will bring it
            return scored_by
        try:
            stamp = ShelfFolder(shelf_folder(_name(name[0]))).stamp()
        except AssayFailure as failure:
            stamp = failure.code
        return f"{scored_by} {freshness(unique_id[0], _name(name[0]), stamp)}"

    def run(
        self,
        images,
        by,
        k,
        after,
        reset,
        on_failure,
        masks=None,
        latents=None,
        prompt=("",),
        scorer=("",),
        name=(UNNAMED,),
        unique_id=(None,),
        dynprompt=(None,),
    ):
        named = {"by": by, "k": k, "after": after, "reset": reset, "on_failure": on_failure, "name": name}
        by, k, after, reset, on_failure, name = [one(values, what, NODE) for what, values in named.items()]
        wanted = Wanted(by, k, after, bool(reset), on_failure, _name(name))
        folder = ShelfFolder(shelf_folder(wanted.name))
        given = pictures(images, prompt, masks, latents)
        host = (unique_id[0], dynprompt[0])
        verdicts = verdicts_on(given, scorer[0], host)
        if on_failure == "stop":
            stop_on_failure(verdicts)
        with _lock:
            visit = Visit(folder, wanted)
            visit.renew(verdicts, scorer[0])
            visit.bring(given, verdicts, prompts_of(given, verdicts), seeds_of(dynprompt[0], unique_id[0], "images"))
            taken = visit.take()
            _end(visit, on_failure)
            note_left(unique_id[0], wanted.name, folder.stamp())
        visit.notes += _neighbours(dynprompt[0], unique_id[0], wanted)
        ui, report = _said(unique_id[0], given, verdicts, visit, wanted)
        return {"ui": ui, "result": _outputs(given, verdicts, visit, taken, wanted, report)}


def _name(given) -> str:
    """Blank ones are the shelf that nobody named."""
    return str(given or "").strip() or UNNAMED


def _end(visit: Visit, on_failure: str) -> None:
    """What cannot be written goes on all the same, unless the user wants an error."""
    try:
        visit.end()
    except AssayFailure as failure:
        note_failure()
        if on_failure == "stop":
            raise
        visit.notes.append(f"Not kept: {failure}")


def _neighbours(dynprompt, node_id, wanted: Wanted) -> list[str]:
    """Other shelves of that name in the workflow that want something else of it."""
    if dynprompt is None:
        return []
    notes = []
    for other in sorted(dynprompt.all_node_ids() - {str(node_id)}):
        node = dynprompt.get_node(other)
        inputs = inputs_of(node)
        if node.get("class_type") != AssayShelf.NODE_ID or is_link(inputs.get("name")):
            continue
        ours = {"by": wanted.by, "k": wanted.k, "after": wanted.after}
        if _name(inputs.get("name")) == wanted.name and any(inputs.get(key) != ours[key] for key in ours):
            notes.append(f"node {other} uses the same shelf with another by, k or after: each has its way in turn")
    return notes


def _outputs(
    given: Pictures, verdicts: list[dict], visit: Visit, taken: Taken, wanted: Wanted, report: str
) -> tuple[object, ...]:
    """In the order of the definition."""
    singles = given.singles()
    added = or_blocked([singles[place] for place, fate in enumerate(visit.fates) if fate == ON_SHELF])
    if not visit.shelf.cards and wanted.on_failure == "pass" and verdicts:
        things = given_out(given, list(range(len(verdicts))), prompts_of(given, verdicts))
        return (*things[:4], or_blocked([]), or_blocked([]), added, report)
    columns = [
        [goods.image for _, goods in taken],
        [goods.mask for _, goods in taken],
        [goods.latent for _, goods in taken],
        [card.prompt for card, _ in taken],
        [card.score(wanted.by) for card, _ in taken],
        [_one_seed(card) for card, _ in taken],
    ]
    return (*map(or_blocked, columns), added, report)


def _one_seed(card: Card) -> int | None:
    seeds = set(card.seeds.values())
    return seeds.pop() if len(seeds) == 1 else None


def _said(node_id, given: Pictures, verdicts: list[dict], visit: Visit, wanted: Wanted) -> tuple[dict, str]:
    """What the node shows, and the whole report."""
    cards = visit.shelf.cards
    added = visit.fates.count(ON_SHELF)
    came = f": {added} came onto the shelf" if verdicts else ""
    head = "\n".join([summary(verdicts, came + given.left_out()), _standing(visit, wanted)])
    labels = [f"best {place + 1}" for place in range(len(cards))]
    kept = [{**card.verdict, "reasons": [_made_by(card), *(card.verdict.get("reasons") or [])]} for card in cards]
    lines = [line(place, verdict, label) for place, (verdict, label) in enumerate(zip(kept, labels))]
    lines += [f"this run {line(i, verdict, fate)}" for i, (verdict, fate) in enumerate(zip(verdicts, visit.fates))]
    ends = [*visit.notes, *prompt_lines(verdicts)]
    return shown(node_id, head, lines, ends, kept, labels), "\n".join([head, *lines, *ends])


def _standing(visit: Visit, wanted: Wanted) -> str:
    """How the shelf stands, in words."""
    kept, count = len(visit.shelf.cards), visit.shelf.count
    fewer = f" of {wanted.k} wanted" if kept < wanted.k and wanted.k > 1 else ""
    if not kept and not (wanted.on_failure == "pass" and visit.fates):
        words = "nothing on it, and nothing goes on"
    elif not kept:
        words = "nothing on it, so all go on as they came"
    else:
        words = f"the best {kept}{fewer} of {count} by {wanted.by}"
    if visit.is_held() and kept:
        words += f", held back until {wanted.after} were judged"
    elif visit.shelf.is_given_out:
        words += ", handed on; the next run begins anew"
    return f"shelf {wanted.name}: {words}"


def _made_by(card: Card) -> str:
    """The seed of an image, and which image of its run it is; no seed where the workflow tells none."""
    values = set(card.seeds.values())
    place = f"#{card.place} of its run"
    if not values:
        return place
    if len(values) == 1:
        return f"seed {values.pop()}, {place}"
    named = [f"{where} {seed}" for where, seed in card.seeds.items()]
    rest = f" and {len(named) - SHOWN_SEEDS} more" if len(named) > SHOWN_SEEDS else ""
    return f"seeds {', '.join(named[:SHOWN_SEEDS])}{rest}, {place}"
