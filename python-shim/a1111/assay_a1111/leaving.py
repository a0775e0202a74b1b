"""Images that leave a job: out of the host's lists, and into the reject bin where they are to be kept for later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import strftime

from .batch import Lists
from .failures import AssayFailure
from .host import Host
from .notes import erase_notes, write_notes
from .options import MOVE, Options
from .pictures import pillow
from .rejects import Bin, Rejected, png_of
from .report import reasons
from .telling import Outcome


class Leaving:
    """`say` tells people why images stay that should not."""

    def __init__(self, lists: Lists, host: Host, options: Options, reject_bin: Bin | None, say: Callable[[str], None]):
        self._lists = lists
        self._host = host
        self._options = options
        self._bin = reject_bin
        self._say = say
        self._began = strftime("%Y%m%d-%H%M%S")

    def take_out(self, p, pp, outcomes: list[Outcome], number: int, made: int) -> None:
        """Takes out of batch `number` what does not stay, by its outcomes; `made`: how many images came before it."""
        things = list(pp.images)
        leaving = [place for place, outcome in enumerate(outcomes) if not outcome.stays]
        if not leaving:
            return
        if not self._lists.is_in_step(len(things)):
            why = "another script changed the number of images of the batch"
            self._stay([outcomes[place] for place in leaving], why)
            return
        if self._options.action == MOVE:
            self._move(p, things, outcomes, leaving, made)
        else:
            for place in leaving:
                outcomes[place].label += ", dropped"
        staying = [place for place, outcome in enumerate(outcomes) if outcome.stays]
        self._lists.cut(staying, len(things), number)
        pp.images = [things[place] for place in staying]

    def _stay(self, outcomes: list[Outcome], why: str) -> None:
        for outcome in outcomes:
            outcome.stays = True
            outcome.label += ", kept"
        self._say(f"{len(outcomes)} rejected images stay: {why}")

    def _move(self, p, things: list, outcomes: list[Outcome], places: list[int], made: int) -> None:
        for done, place in enumerate(places):
            try:
                if not self._bin:
                    raise AssayFailure("", "there is no reject bin")
                self._bin.put(self._rejected(p, things[place], outcomes[place], place, made + place))
            except AssayFailure as failure:
                self._stay([outcomes[left] for left in places[done:]], failure.message)
                return
            outcomes[place].label += ", moved"

    def _rejected(self, p, thing, outcome: Outcome, place: int, number: int) -> Rejected:
        write_notes(p.extra_generation_params, outcome.verdict, outcome.label, place)
        try:
            text = self._host.infotext(p, place)
        finally:
            erase_notes(p.extra_generation_params)
        name = f"assay-{self._began}-{number:03d}-{outcome.seed}.png"
        original = Path(p.outpath_samples or "outputs").absolute() / name
        why = reasons(outcome.verdict) or [f"{self._options.keep} are kept already"]
        return Rejected(png_of(pillow(thing), text), original, outcome.verdict, why)
