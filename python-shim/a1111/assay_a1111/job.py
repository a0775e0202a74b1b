"""One job of the host from its beginning to its end: what is made, what is judged, what stays."""

from __future__ import annotations

import logging
from dataclasses import replace

from .batch import Lists
from .daemon import Daemon
from .failures import AssayFailure
from .host import Host, Interrupted
from .leaving import Leaving
from .notes import erase_notes, write_notes
from .options import KEEP, MOVE, Options, beyond_range, harmless, options_of
from .pictures import Picture, picture
from .plan import Plan, planned
from .rejects import Bin
from .report import failure_line, figure
from .scoring import failed, score_pictures
from .seeds import set_strength, vary
from .telling import KEY, Outcome, report_of, words

logger = logging.getLogger("assay")


class Job:
    """Of the processing object `p`. The methods are called in the order of the host's hooks."""

    def __init__(self, p, args: tuple, host: Host):
        self._host = host
        self._lists = Lists(p)
        self._asked_batches = p.n_iter
        self._strength = p.subseed_strength
        self._outcomes: list[Outcome] = []
        #: Those of the batch in work that the host goes on with, by their place in it.
        self._staying: list[Outcome] = []
        #: What has been judged of the batch in work, by pixels.
        self._known: set[bytes] = set()
        self._ends: list[str] = []
        #: That all of this has added to the job.
        self.seconds = 0.0
        self._is_late = False
        #: Whether batches were left out because nothing could be scored.
        self._was_ended = False
        self._daemon: Daemon | None = None
        self._plan: Plan | None = None
        self._failure: AssayFailure | None = None
        try:
            self.options: Options = options_of(args)
            self._daemon = Daemon.from_environment()
            self._daemon.get("/v1/scorers")
        except AssayFailure as failure:
            self.options = harmless(args) if failure.code == "BAD_REQUEST" else options_of(args)
            self._fail(failure)
        if not self._failure:
            self._leave_to_others(p)
        self._leaving = Leaving(self._lists, host, self.options, self._open_bin(), self._say)
        if self.options.keep and not self._failure:
            self._search(p)

    # before anything is made

    def _leave_to_others(self, p) -> None:
        """Where a script or a film puts images together, none may be missing."""
        who = _who_joins(p)
        if who and (self.options.action != KEEP or self.options.keep):
            self.options = replace(self.options, action=KEEP, keep=0, at_most=0)
            self._say(f"images are marked, and none is taken out or added: {who} puts them together")

    def _open_bin(self) -> Bin | None:
        """None where there is none; then the images stay that would go there."""
        if self._failure or self.options.action != MOVE:
            return None
        try:
            return Bin.of(self._daemon, self._host.address)
        except AssayFailure as failure:
            self._say(f"rejected images stay: {failure}")
            return None

    def _search(self, p) -> None:
        plan = planned(p.batch_size, p.n_iter, self.options.at_most, bool(getattr(p, "init_images", None)))
        if self.options.keep > plan.images:
            self._say(f"keep is {self.options.keep}, and no more than {plan.images} images are made")
        if self._host.counts_jobs:
            self._host.state.job_count += plan.batches - p.n_iter
        p.batch_size, p.n_iter = plan.batch, plan.batches
        self._plan = plan

    def shorten(self, p) -> None:
        """The last batch has no more images than are to be made."""
        if not self._plan:
            return
        names = ("all_prompts", "all_negative_prompts", "all_seeds", "all_subseeds")
        for name in (*names, "all_hr_prompts", "all_hr_negative_prompts"):
            values = getattr(p, name, None)
            if isinstance(values, list):
                del values[self._plan.images :]

    # before each batch

    def begin_batch(self, p, number: int) -> None:
        self._lists.restore()
        self._known.clear()
        self._staying = []
        erase_notes(p.extra_generation_params)
        if self._is_over(number):
            self._was_ended = self._failure is not None and self.options.on_failure == "stop"
            p.prompts = []  # the host ends its loop
            if self._host.counts_jobs:
                self._host.state.job_count = max(1, self._host.state.job_no)
            return
        if self.options.keep and self.options.vary and not self._strength:
            best = self._best() if number % 2 else None
            if best:
                vary(p, best.seed, self.options.vary)
            elif p.subseed_strength:
                set_strength(p, 0)

    def _is_over(self, number: int) -> bool:
        if self._failure:
            return self.options.on_failure == "stop" or number >= self._asked_batches
        return bool(self.options.keep) and self._kept() >= self.options.keep

    def _kept(self) -> int:
        return sum(outcome.counts for outcome in self._outcomes)

    def _best(self) -> Outcome | None:
        ranked = [outcome for outcome in self._outcomes if self._rank(outcome.verdict) is not None]
        return max(ranked, key=lambda outcome: self._rank(outcome.verdict), default=None)

    def _rank(self, verdict: dict) -> float | None:
        """What makes an image better than another; None for one that must not win."""
        if verdict.get("error") or verdict.get("guards"):
            return None
        return figure(verdict, "reward" if self.options.measure == "reward" else self.options.aspect)

    # behind each batch

    def end_batch(self, p, pp, number: int) -> None:
        """Judges a batch as it leaves the decoder, and takes out of it what is not to go on."""
        things = list(pp.images)
        outcomes = [self._unjudged(p, place) for place in range(len(things))]
        self._outcomes += outcomes
        self._staying = outcomes
        self._is_late = self.options.action == KEEP and _will_change(p)
        if not self._is_late:
            self._judge_batch(things, outcomes)
            self._leaving.take_out(p, pp, outcomes, number, len(self._outcomes) - len(outcomes))
            self._staying = [outcome for outcome in outcomes if outcome.stays]

    def _unjudged(self, p, place: int) -> Outcome:
        def at(name: str, fallback):
            values = getattr(p, name, None) or ()
            return values[place] if place < len(values) else fallback

        texts = at("prompts", ""), at("negative_prompts", "")
        return Outcome(*texts, at("seeds", -1), at("subseeds", -1), {}, "interrupted", stays=True)

    def _judge_batch(self, things: list, outcomes: list[Outcome]) -> None:
        pictures = [picture(thing, outcome.prompt) for thing, outcome in zip(things, outcomes)]
        for outcome, one, verdict in zip(outcomes, pictures, self._verdicts(pictures)):
            self._decide(outcome, verdict)
            self._known.add(one.key)
        self._choose(outcomes)

    def _verdicts(self, pictures: list[Picture]) -> list[dict]:
        """Empty ones for what is interrupted, which is no image yet."""
        if self._failure:
            return [failed(self._failure) for _ in pictures]
        try:
            self._host.check()
            fields = {"scorer": self.options.scorer, "policy": self.options.policy}
            found, gone = score_pictures(self._daemon, pictures, fields, self._host.check)
        except Interrupted:
            return [{} for _ in pictures]
        wrong = next(filter(None, (beyond_range(self.options, verdict) for verdict in found)), None)
        if wrong:
            self._fail(wrong)
            return [failed(wrong) for _ in pictures]
        missing = [verdict for verdict in found if verdict.get("error")]
        if missing:
            logger.warning("Assay: %d of %d images not scored: %s", len(missing), len(found), failure_line(missing[0]))
        if gone:
            self._failure = gone
        return found

    def _decide(self, outcome: Outcome, verdict: dict) -> None:
        outcome.verdict = verdict
        outcome.label = label_of(verdict, self.options.unsure)
        outcome.counts = outcome.label.startswith("accepted")
        outcome.stays = self.options.action == KEEP or not outcome.label.startswith("rejected")

    def _choose(self, outcomes: list[Outcome]) -> None:
        """No more count than are to be kept: the best of the batch."""
        good = [outcome for outcome in outcomes if outcome.counts]
        surplus = self._kept() - self.options.keep
        if not self.options.keep or surplus <= 0:
            return
        good.sort(key=lambda outcome: self._rank(outcome.verdict) or 0)
        for outcome in good[:surplus]:
            outcome.counts = False
            outcome.label = "surplus"
            outcome.stays = self.options.action == KEEP

    # when an image is finished

    def finish_image(self, p, pp) -> None:
        """Writes the scores into the image's text: those of the image as it is saved, which may not be what came out
        of the decoder."""
        place = getattr(p, "batch_index", 0)
        if place >= len(self._staying):
            return
        outcome = self._staying[place]
        one = picture(pp.image, outcome.prompt)
        if one.key not in self._known:
            self._judge_again(outcome, one)
        write_notes(p.extra_generation_params, outcome.verdict, outcome.label, place)

    def _judge_again(self, outcome: Outcome, one: Picture) -> None:
        [verdict] = self._verdicts([one])
        if not verdict and outcome.verdict:
            return
        was_counted = outcome.counts
        self._decide(outcome, verdict)
        if self._is_late:
            self._choose([outcome])
            return
        outcome.counts = was_counted
        if not outcome.stays:
            outcome.stays = True
            outcome.label = "rejected when it was finished, kept"

    # at the end

    def end(self, p, processed) -> None:
        self._lists.restore()
        erase_notes(p.extra_generation_params)
        self._line_up(processed)
        if self.options.keep:
            self._ends.insert(0, f"{self._kept()} of {self.options.keep} kept, {len(self._outcomes)} made")
        if self._was_ended:
            self._ends.append(f"the job was ended: {self._failure}")
        p.extra_generation_params[KEY] = report_of(self._outcomes, self._ends, self._failure, self.seconds)
        told = [_harmless(text) for text in words(self._outcomes, self._ends)]
        processed.comments = "\n".join(filter(None, [getattr(processed, "comments", ""), *_named(told)]))

    def _line_up(self, processed) -> None:
        """The host tells the seeds and prompts of all that it meant to make; here, of those that it hands out."""
        there = [outcome for outcome in self._outcomes if outcome.stays]
        if not there or len(there) == len(processed.all_seeds):
            return
        processed.all_seeds = [outcome.seed for outcome in there]
        processed.all_subseeds = [outcome.subseed for outcome in there]
        processed.all_prompts = [outcome.prompt for outcome in there]
        processed.all_negative_prompts = [outcome.negative_prompt for outcome in there]
        processed.seed, processed.subseed = there[0].seed, there[0].subseed

    def _fail(self, failure: AssayFailure) -> None:
        self._failure = failure
        rule = "the job ends" if self.options.on_failure == "stop" else "images pass unscored"
        logger.warning("Assay: %s: %s", rule, failure)

    def _say(self, text: str) -> None:
        self._ends.append(text)
        logger.warning("Assay: %s", text)


def label_of(verdict: dict, unsure: str) -> str:
    """What the user reads about an image; one without a verdict was interrupted."""
    if not verdict:
        return "interrupted"
    if verdict.get("error"):
        return "passed unscored"
    decision = verdict.get("decision")
    if decision == "unsure":
        return f"{unsure}ed (unsure)"
    return f"{decision}ed"


def _who_joins(p) -> str | None:
    """Who expects all images that it asked for: a script that was chosen makes several jobs, often of parts."""
    args = getattr(p, "script_args", None) or (0,)
    if args[0]:
        return "the chosen script"
    return "a film" if "Video" in type(p).__name__ else None


def _will_change(p) -> bool:
    """Whether the host itself goes on painting: then the image is judged once, when it is finished."""
    names = ("overlay_images", "color_corrections", "restore_faces", "detailer_enabled")
    return any(bool(getattr(p, name, None)) for name in names)


def _named(lines: list[str]) -> list[str]:
    return [f"Assay: {lines[0]}", *lines[1:]] if lines else []


def _harmless(text: str) -> str:
    """Pages may set this text as HTML, and a prompt may come from anybody: no tag may start in it."""
    return text.replace("<", "\u2039").replace(">", "\u203a")
