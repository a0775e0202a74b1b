"""Flow-Factory: a reward model as a class, named in its config by `assay_client.rewards.flow_factory.AssayReward`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..client import AssayClient
from .asking import ask
from .measures import Measure, checked, filled

if TYPE_CHECKING:
    _Base: Any = object
    _Output: Any = SimpleNamespace
else:
    try:
        from flow_factory.rewards.abc import PointwiseRewardModel as _Base
        from flow_factory.rewards.abc import RewardModelOutput as _Output
    except ImportError:
        _Base, _Output = object, SimpleNamespace


class AssayReward(_Base):
    """Pointwise. Its entry in the config may have `server_url`, `measure` and `missing`.

    A reward that is missing raises NO_REWARD unless `missing` says otherwise.
    """

    required_fields = ("prompt", "image")
    #: Floats 0..1, which are rounded here; pictures of Pillow were cut off by then.
    use_tensor_inputs = True

    def __init__(self, config: Any, accelerator: Any):
        if _Base is not object:
            super().__init__(config, accelerator)
        else:
            self.config, self.accelerator, self.device = config, accelerator, accelerator.device
        extra = getattr(config, "extra_kwargs", None) or {}
        url, measure, missing = (
            getattr(config, name, None) or extra.get(name) for name in ("server_url", "measure", "missing")
        )
        self._client = AssayClient(url)
        self._measure = Measure.of(measure or "reward")
        self._missing = checked("raise" if missing is None else missing)

    def __call__(self, prompt: list[str], image: list | None = None) -> Any:
        import torch

        results = ask(self._client, [self._measure], image, prompt)[self._measure.scorer]
        choice = "nan" if self._missing == "none" else self._missing
        values = filled(self._measure, results, choice)
        return _Output(rewards=torch.tensor(values, dtype=torch.float32, device=self.device), extra_info=None)
