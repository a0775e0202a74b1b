"""Prints results, one figure a line."""

from __future__ import annotations

from assay_training.tower.report import lines


def print_results(results: dict) -> None:
    """Prints everything in a results file."""
    for line in [*lines(results), *own_lines(results)]:
        print(line, flush=True)


def own_lines(results: dict) -> list[str]:
    """What this scorer's protocol has beside the last one's."""
    wobble, reward, policy = results["wobble"], results["reward"], results["policy"]
    text = [
        f"wobble: deviation {wobble['deviation']:.3f} MOS over harmless changes of {wobble['images']} images"
    ]
    for name, entry in (wobble["changes"] | results["shapes"]).items():
        text.append(f"{name}: shift {entry['shift']:+.3f}, deviation {entry['deviation']:.3f}")
    for name, entry in results["foreign"]["kinds"].items():
        text.append(f"{name}: guard {entry['guard']:.0%}, guard or lowest tenth {entry['noticed']:.0%}")
    text.append(
        f"guard: false alarms {results['foreign']['falseAlarms']:.1%} of rated, "
        f"{results['foreign']['unratedAlarms']:.1%} of unrated pictures"
    )
    text.append(f"policy: quality at least {policy['threshold']:.2f}")
    for name, group in policy["groups"].items():
        shares = f"rejected {group['rejected']:.1%}, unsure {group['unsure']:.1%}"
        text.append(f"policy, {name} ({group['images']}): {shares}")
    text.append(
        f"reward of {reward['images']} good images: {reward['right']:.2f}, "
        f"with another prompt {reward['wrong']:.2f}; falls for {reward['falls']:.1%}; "
        f"alignment falls by {reward['alignmentFall']:.2f} MOS"
    )
    return text
