"""verl-omni: `async compute_score(data_source, solution_image, ground_truth, extra_info, …)` for one sample."""

from __future__ import annotations

from typing import Any

from ..aio import AsyncAssayClient
from .asking import ask_async, shared_async
from .measures import Measure, filled

_clients: dict[str, AsyncAssayClient] = {}


async def compute_score(
    data_source: str = "",
    solution_image: Any = None,
    ground_truth: str | None = None,
    extra_info: dict | None = None,
    *,
    server_url: str | None = None,
    measure: str = "reward",
    **_: Any,
) -> dict[str, float]:
    """`{"score": …}` and the aspects beside it. `ground_truth` is the prompt, as for that trainer's own scorers.

    `server_url` and `measure` come from the entry under `reward.reward_functions`. Raises NO_REWARD where there is
    none: set `required: true` there, or the trainer itself makes it 0.
    """
    wanted = Measure.of(measure)
    results = (await ask_async(_client(server_url), [wanted], [solution_image], [ground_truth]))[wanted.scorer]
    aspects = {name: found.score for name, found in (results[0].aspects or {}).items() if found}
    return {"score": filled(wanted, results, "raise")[0], **aspects}


def _client(url: str | None) -> AsyncAssayClient:
    if url is None:
        return shared_async()
    if url not in _clients:
        _clients[url] = AsyncAssayClient(url)
    return _clients[url]
