"""The other side of bench/gpu.ts: the same tower in eager PyTorch, and a process that fills the card.

`speed`: images a second of CLIP ViT-B/16's image tower at 224 x 224, random weights, float16 on CUDA and
float32 elsewhere. `fill`: takes all memory of the card but LEAVE megabytes, prints `full`, and holds it until
its input ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "training"))

from assay_training.base.compress import SHAPE
from assay_training.tower.clip import Tower

MEGABYTE = 10**6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    speed.add_argument("--seconds", type=float, default=3)
    fill = commands.add_parser("fill")
    fill.add_argument("--leave-mb", type=int, required=True)
    options = parser.parse_args()
    if options.command == "fill":
        hold(options.leave_mb)
    else:
        print(json.dumps(measure(options.batches, options.seconds)))


@torch.inference_mode()
def measure(batches: list[int], seconds: float) -> dict:
    """{"device", "precision", "perSecond": images a second by batch}."""
    on_gpu = torch.cuda.is_available()
    device, kind = ("cuda", torch.float16) if on_gpu else ("cpu", torch.float32)
    torch.manual_seed(0)
    tower = Tower(SHAPE).to(device, kind).eval()
    found = {}
    for batch in batches:
        images = torch.randint(0, 256, (batch, 3, SHAPE.side, SHAPE.side), dtype=torch.uint8)
        rounds, started = 0, 0.0
        for number in range(10**6):
            if number == 1:  # the first round warms up
                started = time.perf_counter()
            tower(images.to(device).to(kind)).float().cpu()
            rounds = number
            if number and time.perf_counter() - started > seconds:
                break
        found[str(batch)] = round(rounds * batch / (time.perf_counter() - started), 1)
    name = torch.cuda.get_device_name() if on_gpu else "CPU"
    return {"device": name, "precision": str(kind).removeprefix("torch."), "perSecond": found}


def hold(leave_mb: int) -> None:
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(max(0, free - leave_mb * MEGABYTE), dtype=torch.uint8, device="cuda")
    print("full", flush=True)
    sys.stdin.read()
    del taken


if __name__ == "__main__":
    main()
