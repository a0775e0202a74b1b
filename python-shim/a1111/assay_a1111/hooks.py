"""The hooks of the script, under the names that hosts call them by. None of them ever harms a job."""

from __future__ import annotations

import logging
from functools import wraps
from time import perf_counter
from weakref import ref

from .host import Host
from .job import Job
from .notes import erase_notes
from .options import is_enabled

#: Where the job of a processing object is kept.
_JOB = "assay_job"

#: The processing object of the job that began last, which a grid does not tell.
_last: ref | None = None

logger = logging.getLogger("assay")


def _harmless(hook):
    @wraps(hook)
    def guarded(script, p, *args, **more):
        began = perf_counter()
        try:
            hook(p, args, more)
        except Exception:
            logger.exception("Assay: unexpected failure; the images stay as the host made them")
        if job := _job_of(p):
            job.seconds += perf_counter() - began

    return guarded


def _job_of(p) -> Job | None:
    return getattr(p, _JOB, None)


def _host() -> Host:
    from modules import processing, shared

    def infotext(p, place: int) -> str:
        return processing.create_infotext(
            p, p.prompts, p.seeds, p.subseeds, index=place, all_negative_prompts=p.negative_prompts
        )

    options = shared.cmd_opts
    name = getattr(options, "server_name", None) or "127.0.0.1"
    port = getattr(options, "port", None) or 7860
    return Host(shared.state, infotext, f"http://{name}:{port}")


@_harmless
def before_process(p, args, _more) -> None:
    setattr(p, _JOB, None)  # a copy of a processing object has that of the first
    if is_enabled(args):
        setattr(p, _JOB, Job(p, args, _host()))
        global _last
        _last = ref(p)


@_harmless
def process(p, _args, _more) -> None:
    if job := _job_of(p):
        job.shorten(p)


@_harmless
def before_process_batch(p, _args, more) -> None:
    if job := _job_of(p):
        job.begin_batch(p, more["batch_number"])


@_harmless
def postprocess_batch_list(p, args, more) -> None:
    if job := _job_of(p):
        job.end_batch(p, args[0], more["batch_number"])


@_harmless
def finish_image(p, args, _more) -> None:
    if job := _job_of(p):
        job.finish_image(p, args[0])


@_harmless
def postprocess(p, args, _more) -> None:
    if job := _job_of(p):
        setattr(p, _JOB, None)
        job.end(p, args[0])


def before_grid(params) -> None:
    """Takes the notes of the last image away before the host words the text of a grid, where it is not asked whose they
    are. Previews are grids, too, of images that have no text yet."""
    p = _last() if _last else None
    if p is not None and any("parameters" in image.info for image in params.imgs if image is not None):
        erase_notes(p.extra_generation_params)


def hooks_for(script_class: type) -> dict:
    """Those that this host calls. An image is finished behind the compositing of inpainting where the host tells."""
    last = "postprocess_image_after_composite"
    finished = last if hasattr(script_class, last) else "postprocess_image"
    own = (before_process, process, before_process_batch, postprocess_batch_list, postprocess)
    hooks = {hook.__name__: hook for hook in own} | {finished: finish_image}
    return {name: hook for name, hook in hooks.items() if hasattr(script_class, name)}
