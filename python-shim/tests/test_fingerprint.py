"""What the host may reuse: results of the same scorer, never a failure."""

from fake_daemon import error
from helpers import gate, greys


def test_same_scorer_same_fingerprint(daemon, nodes):
    first = nodes.AssayBest.IS_CHANGED(scorer=[""], images=None, threshold=0.5)
    assert first.startswith("bright@1.0.0@fp32")
    assert nodes.AssayScore.IS_CHANGED(scorer=[""], images=(None,)) == first
    assert nodes.AssayBest.IS_CHANGED(scorer=["bright"]) == first
    gate(nodes, greys(0.9))
    assert nodes.AssayBest.IS_CHANGED(scorer=[""]) == first


def test_an_older_version_by_its_own_name(daemon, nodes):
    older = nodes.AssayBest.IS_CHANGED(scorer=["bright@0.9.0"])
    assert older.startswith("bright@0.9.0@fp32")
    assert nodes.AssayBest.IS_CHANGED(scorer=["bright@0.9.0"]) == older
    assert nodes.AssayBest.IS_CHANGED(scorer=["bright"]).startswith("bright@1.0.0@fp32")
    unknown = [nodes.AssayBest.IS_CHANGED(scorer=["bright@7"]) for _ in range(2)]
    assert unknown[0] != unknown[1]


def test_another_model_another_fingerprint(daemon, nodes):
    first = nodes.AssayBest.IS_CHANGED(scorer=[""])
    daemon.version = "1.0.1"
    assert nodes.AssayBest.IS_CHANGED(scorer=[""]) != first


def test_after_a_failure_nothing_is_reused(daemon, nodes):
    first = nodes.AssayBest.IS_CHANGED(scorer=[""])
    daemon.answer = lambda _message: error("INTERNAL")
    gate(nodes, greys(0.9))
    second = nodes.AssayBest.IS_CHANGED(scorer=[""])
    assert second != first
    daemon.answer = daemon.scores
    gate(nodes, greys(0.9))
    assert nodes.AssayBest.IS_CHANGED(scorer=[""]) == second


def test_without_a_daemon_or_scorer_always_new_and_always_text(daemon, nodes, connect):
    unknown = [nodes.AssayBest.IS_CHANGED(scorer=["other"]) for _ in range(2)]
    connect("http://127.0.0.1:1")
    absent = [nodes.AssayBest.IS_CHANGED(scorer=[None]) for _ in range(2)]
    assert len({*unknown, *absent}) == 4
    assert all(isinstance(text, str) for text in [*unknown, *absent])
