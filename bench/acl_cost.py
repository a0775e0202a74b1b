"""Cost of ACL-IQA's two passes against one plain CLIP pass over the same views, by the count of windows.

First in multiply-adds, which no machine changes, then in time: both are full-size graphs with random weights
in onnxruntime, run in turns, so that a busy machine slows both alike.
Example: python bench/acl_cost.py --threads 1
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "training"))

from assay_training.acl_iqa.config import AclConfig  # noqa: E402
from assay_training.acl_iqa.export import example_ids, example_views, export_graphs  # noqa: E402
from assay_training.acl_iqa.model import GRADES, AclIqa  # noqa: E402
from assay_training.acl_iqa.score_graph import ScoreGraph  # noqa: E402
from assay_training.acl_iqa.views import WINDOWS  # noqa: E402
from assay_training.clip.model import VisionTransformer, normalised  # noqa: E402
from assay_training.onnx_export import export  # noqa: E402
from assay_training.scorer import open_session  # noqa: E402

COUNTS = (15, 4, 1)  # windows an image


class PlainClip(nn.Module):
    """The same views through one CLIP image tower."""

    def __init__(self, config: AclConfig) -> None:
        super().__init__()
        self.visual = VisionTransformer(config.clip)

    def forward(self, windows: Tensor, whole: Tensor) -> Tensor:
        """[n, W, side, side, 3], [n, side, side, 3] to [n, W + 1, joint]."""
        views = normalised(torch.cat([windows.float(), whole[:, None]], 1))
        return self.visual(views.flatten(0, 1)).unflatten(0, (-1, windows.shape[1] + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = AclConfig()
    net, clip = AclIqa(config).eval(), PlainClip(config).eval()
    with tempfile.TemporaryDirectory() as work:
        paths = export_graphs(net, Path(work))
        views = example_views(config)
        export(clip, views, ["seen"], Path(work) / "clip.onnx", free={WINDOWS: {1: "windows"}})
        sessions = {name: open_session(path, options.threads) for name, path in paths.items()}
        plain = open_session(Path(work) / "clip.onnx", options.threads)
    texts = {"grades": example_ids(config, GRADES), "instruction": example_ids(config, len(config.paths))}
    given = {}
    for name, ids in texts.items():
        outputs = [output.name for output in sessions[name].get_outputs()]
        given |= dict(zip(outputs, sessions[name].run(outputs, {"ids": ids.numpy()}), strict=True))
    for count in COUNTS:
        known = {name: torch.from_numpy(value) for name, value in given.items()}
        views = example_views(config, count)
        both, one = multiply_adds(ScoreGraph(net), views | known), multiply_adds(clip, views)
        counted = f"{both / 1e9:.1f} and {one / 1e9:.1f} G multiply-adds, ratio {both / one:.2f}"
        print(f"{count:2} windows and the whole: {counted}")
        report(sessions["score"], plain, inputs(config, count), given, options.pairs)


def multiply_adds(module: nn.Module, args: dict[str, Tensor]) -> int:
    """Of all matrix products and convolutions."""
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        module(**args)
    return counted.get_total_flops() // 2


def inputs(config: AclConfig, count: int) -> dict[str, np.ndarray]:
    """Views of one image of noise."""
    return {name: value.numpy() for name, value in example_views(config, count).items()}


def report(score, plain, views: dict, given: dict, pairs: int) -> None:
    """Prints the medians of `pairs` alternating runs."""
    times = [(seconds(score, views | given), seconds(plain, views)) for _ in range(pairs + 1)][1:]
    ratios = [both / one for both, one in times]
    both, one = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"{views[WINDOWS].shape[1]:2} windows and the whole: both passes {both * 1e3:.0f} ms, "
        f"one CLIP pass {one * 1e3:.0f} ms, ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


def seconds(session, feeds: dict) -> float:
    started = time.perf_counter()
    session.run(None, feeds)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
