"""The client for asyncio. It may be used on one loop after the other; each gets a connection of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from . import runner
from .link import settings
from .link.connection import UNIX, Connection
from .link.failures import fail
from .request import Item, items_of
from .results import Health, Ranking, Result
from .reward_results import RewardResult
from .rewarding import rewards
from .scoring import rank, score
from .sending import Call, Gate, Patience
from .studying import AsyncStudy
from .trial import spec_of

TIMEOUT_S = 120.0
WAIT_S = 30.0
RECONNECTS = 5
_CONNECT_S = 10.0
HEALTH_S = 5.0

#: How rewards of a group become advantages; docs/rewards.md has the formulas.
Advantage = Literal["zscore", "rank", "zscore-each"]


class AsyncAssayClient:
    """Scores images with an Assay daemon.

    `url` is an http(s) address or `unix:` and a path; without it, and without `token`, they come from ASSAY_URL, and
    ASSAY_TOKEN or ASSAY_TOKEN_FILE. `name` is what the daemon calls this client, to be fair between clients.
    `timeout` is in seconds, for a whole call. A daemon that does not answer is asked again for `wait` seconds, since it
    may be starting; a request whose connection breaks is sent again `reconnects` times, with the key of the first, so
    that the daemon scores and records it once.

        async with AsyncAssayClient() as assay:
            results = await assay.score(images, prompts=prompts)
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        name: str | None = None,
        timeout: float = TIMEOUT_S,
        wait: float = WAIT_S,
        reconnects: int = RECONNECTS,
    ):
        """Raises CONFIG_INVALID, TOKEN_UNREADABLE."""
        self._given = {"url": url, "token": token, "name": name}
        self._patience = Patience(timeout, wait, reconnects)
        self.url = _checked_url(url or settings.url())
        self._token = token if token is not None else settings.token()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()
        self._connection: Connection | None = None
        self._gate: Gate | None = None

    async def score(
        self,
        images: Any,
        prompts: str | Sequence[str | None] | None = None,
        *,
        ids: Sequence[str | int] | None = None,
        groups: Sequence[Hashable] | Hashable = None,
        scorer: str | None = None,
        policy: Mapping[str, Any] | None = None,
        layout: str | None = None,
        timeout: float | None = None,
    ) -> list[Result]:
        """One result for each image, in order.

        `images`: a tensor of torch or array of NumPy [N, …] or of one image, NCHW or NHWC, float 0..1 or uint8; or a
        list of such single images, pictures of Pillow, paths, and bytes of files. `prompts`: one text for all, or one
        for each image. `ids` and `groups` come back with the results. `layout` says "NCHW" or "NHWC" where a shape may
        be both.

        Raises AssayFailure for what is wrong with the call, and when no image got an answer. Else each image has its
        own outcome: where `error` is set there is no score.
        """
        items = await asyncio.to_thread(items_of, images, prompts, ids, groups, layout)
        return await score(self._call({"scorer": scorer, "policy": policy}, timeout), items) if items else []

    async def rank(
        self,
        images: Any,
        prompt: str | None = None,
        *,
        ids: Sequence[str | int] | None = None,
        scorer: str | None = None,
        layout: str | None = None,
        timeout: float | None = None,
    ) -> Ranking:
        """Images of one prompt, best first, in one request. Arguments and failures as in `score`."""
        items: list[Item] = await asyncio.to_thread(items_of, images, prompt, ids, None, layout)
        if not items:
            return Ranking([], [], None)
        return await rank(self._call({"scorer": scorer}, timeout), items)

    async def rewards(
        self,
        images: Any,
        prompts: str | Sequence[str | None] | None = None,
        *,
        profile: str | Mapping[str, Any] | None = None,
        scorers: Sequence[str] | None = None,
        groups: Sequence[Hashable] | Hashable = None,
        advantage: Advantage | None = None,
        run: str | None = None,
        ids: Sequence[str | int] | None = None,
        layout: str | None = None,
        timeout: float | None = None,
    ) -> RewardResult:
        """One reward for each image, in order, with its components and the figures of its group.

        `profile`: the name of one in the daemon's config, or a profile itself; `scorers` in its place: the mean of
        their rewards. Images with the same of `groups` are compared with each other, and those without one are a group;
        a group goes in one request, and must fit into the limits of one (limits.maxItems, limits.maxBodyBytes).
        `advantage` asks for advantages within groups. `run`: what the monitor calls the training run; the name of the
        client when absent. The rest as in `score`.

        Raises AssayFailure for what is wrong with the call, UNKNOWN_PROFILE among it, and when no image got an answer.
        Else each image has its own outcome: where there is no reward, `missing` says why, and what the profile put in
        its place.
        """
        items = await asyncio.to_thread(items_of, images, prompts, ids, groups, layout)
        if not items:
            return RewardResult((), (), {}, ())
        names = None if scorers is None else list(scorers)
        fields = {"profile": profile, "scorers": names, "advantage": advantage, "run": run}
        return await rewards(self._call(fields, timeout), items)

    def study(
        self,
        prompt: str | None,
        *,
        strategy: str | Mapping[str, Any] = "best-of-n",
        budget: float = 60,
        keep: int | None = None,
        axes: Mapping[str, Any] | None = None,
        pick: str | Sequence[str] | None = None,
        price: Mapping[str, Any] | None = None,
        minutes: float | None = None,
        seed: int | None = None,
        scorer: str | None = None,
        policy: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> AsyncStudy:
        """A search with a generator of your own; docs/studies.md says what each strategy does.

        `strategy`: its name, or a mapping with `name` and its options. `budget`: most work, in whole images. `axes`:
        what is varied beside the seed, by name: a list of values, or a mapping with low and high; `prompt` is the
        prompt. `pick`: measures that the best are picked by, `reward` when absent. `price`: the least gain that another
        image is worth. What `policy` rejects cannot win. The same call with the same `id` goes on where the last one
        ended.

            async for trial in assay.study("a fox", strategy="halving", budget=32):
                await trial.tell(await generate(trial.prompt, seed=trial.seed, steps=trial.steps(28)))
        """
        picks = [pick] if isinstance(pick, str) else pick and list(pick)
        rest = {"keep": keep, "pick": picks, "price": price, "minutes": minutes, "seed": seed}
        plan = {"spec": spec_of(prompt, strategy, budget, axes, **rest), "scorer": scorer, "policy": policy}
        given = {name: value for name, value in plan.items() if value is not None}
        return AsyncStudy(lambda: self._call({}, None), id, given)

    async def health(self, timeout: float = HEALTH_S) -> Health:
        """The daemon, as it answers now. Raises DAEMON_UNREACHABLE, DAEMON_UNKNOWN, UNAUTHORIZED."""
        connection, _ = self._here()
        alive = await connection.get("/healthz", timeout)
        state = await connection.get("/readyz", timeout, also=503)
        try:
            return Health(str(alive["version"]), bool(state["ready"]), state.get("reason"))
        except (KeyError, TypeError, AttributeError) as cause:
            raise fail("DAEMON_UNKNOWN", url=self.url, found="it tells no version") from cause

    async def close(self) -> None:
        """Ends the connection. A later call opens another."""
        if self._connection is not None and self._loop is asyncio.get_running_loop():
            await self._connection.close()
        self._forget()

    async def __aenter__(self) -> AsyncAssayClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __getstate__(self) -> dict:
        return {**self._given, "patience": self._patience}

    def __setstate__(self, state: dict) -> None:
        patience = state.pop("patience")
        self.__init__(  # type: ignore[misc]
            **state, timeout=patience.timeout, wait=patience.wait, reconnects=patience.reconnects
        )

    def _call(self, fields: Mapping[str, Any], timeout: float | None) -> Call:
        connection, gate = self._here()
        usual = self._patience
        patience = usual if timeout is None else Patience(timeout, usual.wait, usual.reconnects)
        return Call(connection, gate, {key: value for key, value in fields.items() if value is not None}, patience)

    def _here(self) -> tuple[Connection, Gate]:
        """The connection of the loop that runs. One of another loop, or from before a fork, is left as it is."""
        loop = asyncio.get_running_loop()
        if self._connection is None or self._gate is None or self._loop is not loop:
            self._forget()
            self._loop = loop
            self._connection = Connection(self.url, self._token, self._given["name"], _CONNECT_S)
            self._gate = Gate()
        return self._connection, self._gate

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        left = connection.abandon()
        if self._process != os.getpid():
            runner.keep(left)
            self._process = os.getpid()


def _checked_url(url: str) -> str:
    expected = "http://HOST:PORT, or unix: and a path"
    if url.startswith(UNIX) and len(url) > len(UNIX):
        return url
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise fail("CONFIG_INVALID", source="ASSAY_URL or url=", key="the address", found=repr(url), expected=expected)
    return url
