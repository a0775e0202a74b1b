"""For `npm run bench:a1111`: judges a batch in a stand-in of a host for each line that comes; prints the seconds."""

import sys

import torch
from a1111_fixtures import EXTENSION
from a1111_host import FamilyHost, Processing


def main(count: int, size: int) -> None:
    host = FamilyHost("forge")
    sys.modules.update(host.modules())
    sys.path.insert(0, str(EXTENSION))
    sys.path.insert(0, str(EXTENSION / "scripts"))
    from assay import Assay

    for seed, _ in enumerate(sys.stdin):
        host.state.job_count = -1
        host.saved.clear()
        host.spoil = lambda _number, _images, seed=seed: [picture(count * seed + i, size) for i in range(count)]
        p = Processing(batch_size=count)
        host.run(Assay(), p, {"action": "drop", "measure": "reward", "threshold": 0})
        report = p.extra_generation_params["Assay"]
        if report["error"] or len(report["images"]) != count:
            raise SystemExit(f"not judged: {report}")
        print(report["seconds"], flush=True)


def picture(seed: int, size: int) -> torch.Tensor:
    """Soft blots, as no cache has seen them."""
    small = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, (size, size), mode="bicubic")[0].clamp(0, 1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), int(sys.argv[2]))
