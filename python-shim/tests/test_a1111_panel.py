"""The panel, and the order in which the API takes its arguments."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

from a1111_fixtures import EXTENSION, loaded
from a1111_host import Processing, seeds_in

#: Callers of the API pass these by place: this list only ever grows at its end.
ORDER = [
    ("enabled", False),
    ("action", "keep"),
    ("measure", "percentile"),
    ("threshold", 0.3),
    ("aspect", "quality"),
    ("unsure_within_interval", False),
    ("unsure", "accept"),
    ("on_failure", "pass"),
    ("keep", 0),
    ("at_most", 0),
    ("vary", 0),
    ("scorer", ""),
]


class Box:
    """What a control or a container of the page is made with."""

    def __init__(self, *args, **given):
        self.given = given
        self.value = given.get("value")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def test_the_controls_have_the_frozen_order_and_their_defaults(forge, monkeypatch):
    kinds = ("Accordion", "Row", "Checkbox", "Radio", "Textbox", "Slider", "Number")
    monkeypatch.setitem(sys.modules, "gradio", SimpleNamespace(**{kind: type(kind, (Box,), {}) for kind in kinds}))
    script = loaded(forge, monkeypatch)
    controls = script.ui(False)
    ids = [control.given["elem_id"].removeprefix("script_txt2img_assay_") for control in controls]
    assert list(zip(ids, (control.value for control in controls))) == ORDER


def test_arguments_by_place_mean_the_same_as_by_name(http_daemon, forge, monkeypatch):
    script = loaded(forge, monkeypatch)
    args = (True, "drop", "percentile", 0.5, "quality", False, "accept", "pass", 2, 8, 0.0, "")
    assert seeds_in(forge.run(script, Processing(batch_size=4), *args)) == [106, 107]
    forge.state.job_count = -1
    named = {"action": "drop", "threshold": 0.5, "keep": 2, "at_most": 8}
    assert seeds_in(forge.run(script, Processing(batch_size=4), named)) == [106, 107]


def test_an_argument_too_many_is_told(http_daemon, forge, monkeypatch):
    args = [True, *(default for _, default in ORDER[1:]), "surplus"]
    processed = forge.run(loaded(forge, monkeypatch), Processing(batch_size=1), *args)
    assert "there are 13 arguments; expected at most 12" in processed.comments
    assert (len(processed.images), http_daemon.messages) == (1, [])


def test_arguments_that_are_left_out_have_their_defaults(http_daemon, forge, monkeypatch):
    script = loaded(forge, monkeypatch)
    assert len(forge.run(script, Processing(batch_size=2), True).images) == 2
    assert http_daemon.messages[0]["policy"] == {
        "aspects": {"quality": {"minPercentile": 0.3}},
        "unsureWithinInterval": False,
    }


def test_it_imports_quickly_and_nothing_that_hosts_may_lack():
    code = (
        "import sys, time; import http.client, json, hashlib, logging, queue; began = time.process_time(); "
        f"sys.path.insert(0, {str(EXTENSION)!r}); import assay_a1111.hooks, assay_a1111.panel; "
        "print(time.process_time() - began); "
        "print([n for n in ('numpy', 'PIL', 'msgpack', 'aiohttp', 'gradio', 'torch') if n in sys.modules])"
    )
    seconds, found = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert float(seconds) < 0.1
    assert found == "[]"
