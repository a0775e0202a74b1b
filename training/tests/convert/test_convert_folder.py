import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from assay_training import variant_distance
from assay_training.checkpoints import CheckpointError
from assay_training.convert import make_folder
from assay_training.scorer import Scorer
from assay_training.variant_distance import PAIRS, drawn_pairs, pairs_of
from assay_training.verify import VerifyError, check_invariance, verify
from assay_training.window_effect import window_effects
from convert.convert_world import LEVELS

VARIANTS = ["fp32", "fp32-4", "fp32-1", "fp16", "int8"]


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "tiny"
    make_folder(world.system, out, fp16=True, int8=True)
    return out


def read(folder: Path, name: str = "manifest.json") -> dict:
    return json.loads((folder / name).read_text())


def test_folder_verifies_and_no_variant_depends_on_the_batch(folder, capsys):
    verify(folder)
    printed = capsys.readouterr().out
    for variant in VARIANTS:
        assert f"golden: {variant} agrees on 3 images, largest difference 0.00000" in printed
        assert f"invariance: {variant} quality: batches (1, 2, 3)" in printed


def test_every_file_is_there_once_with_its_hash(folder):
    manifest = read(folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files - {"manifest.json", "card.md"} == set(manifest["files"])
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    graphs = [entry["sha256"] for name, entry in manifest["files"].items() if name.endswith(".onnx")]
    assert len(set(graphs)) == len(graphs)
    assert not [path for path in folder.parent.iterdir() if path != folder]


def test_golden_images_are_small_files(folder):
    sizes = {path.name: path.stat().st_size for path in (folder / "golden").glob("*.png")}
    assert len(sizes) == 3
    assert max(sizes.values()) < 60_000


def test_variants_of_windows_share_files_and_smaller_ones_are_smaller(folder):
    manifest = read(folder)
    variants = manifest["variants"]
    assert list(variants) == VARIANTS
    assert (manifest["defaultVariant"], manifest["gpuVariant"]) == ("fp32", "fp16")
    assert variants["fp32-4"] == {"graphs": variants["fp32"]["graphs"], "windows": 4}
    assert variants["fp32-1"]["windows"] == 1
    sizes = {name: (folder / v["graphs"]["picture"]).stat().st_size for name, v in variants.items()}
    assert sizes["fp16"] < 0.55 * sizes["fp32"]
    assert sizes["int8"] < 0.35 * sizes["fp32"]
    products = [node.op_type for node in onnx.load(folder / variants["int8"]["graphs"]["picture"]).graph.node]
    assert products.count("MatMulNBits") == 2


def test_smaller_variants_take_and_give_the_same_types(folder):
    graphs = {name: variant["graphs"] for name, variant in read(folder)["variants"].items()}
    for step in ("prompt", "picture", "score"):
        kinds = {
            name: [
                (entry.name, entry.type.tensor_type.elem_type)
                for part in (model.input, model.output)
                for entry in part
            ]
            for name in ("fp32", "fp16", "int8")
            for model in [onnx.load(folder / graphs[name][step]).graph]
        }
        assert kinds["fp32"] == kinds["fp16"] == kinds["int8"]


def picture(width: int = 450, height: int = 420) -> Image.Image:
    squares = np.random.default_rng(5).integers(0, 256, (height // 6, width // 6, 3), np.uint8)
    return Image.fromarray(squares.repeat(6, 0).repeat(6, 1))


def batched(scorer: Scorer, *images: Image.Image) -> dict[str, np.ndarray]:
    inputs = [scorer.inputs(image) for image in images]
    return {name: np.stack([one[name] for one in inputs]) for name in inputs[0]}


@pytest.mark.parametrize(("variant", "count"), [("fp32", 15), ("fp32-4", 4)])
def test_raw_outputs_are_those_of_torch(world, folder, variant, count):
    scorer = Scorer(folder, variant)
    inputs = batched(scorer, picture(), picture(500, 402))
    assert inputs["windows"].shape == (2, count, 32, 32, 3)
    found = scorer.raw(inputs, ["cat", ""])
    # [CLS] a photo of cat [SEP] and [CLS] no cat at all [SEP]; then both texts without a word for the prompt
    ids = [
        [[2, 4, 5, 6, 10, 3, 0, 0], [2, 7, 10, 8, 9, 3, 0, 0]],
        [[2, 4, 5, 6, 3, 0, 0, 0], [2, 7, 8, 9, 3, 0, 0, 0]],
    ]
    mask = (torch.tensor(ids) > 0).long()
    views = torch.from_numpy(inputs["windows"]), torch.from_numpy(inputs["whole"])
    chances, alignment = (value.numpy() for value in world.expected(*views, torch.tensor(ids), mask))
    for row, chance in enumerate(chances):
        mean = sum(p * level for p, level in zip(chance, LEVELS, strict=True))
        spread = sum(p * (level - mean) ** 2 for p, level in zip(chance, LEVELS, strict=True)) ** 0.5
        np.testing.assert_allclose(found["quality"][row], [mean, spread], atol=1e-5)
    np.testing.assert_allclose(found["alignment"], np.concatenate([alignment, np.ones((2, 1))], 1), atol=1e-5)


def test_without_a_prompt_only_what_needs_none_is_predicted(folder):
    scorer = Scorer(folder)
    inputs = batched(scorer, picture())
    found = scorer.raw(inputs)
    assert found.keys() == {"quality"}
    np.testing.assert_array_equal(found["quality"], scorer.raw(inputs, "")["quality"])
    assert not np.array_equal(scorer.raw(inputs, "cat")["alignment"], scorer.raw(inputs, "dog")["alignment"])


def test_a_long_prompt_keeps_the_last_token(folder):
    scorer = Scorer(folder)
    texts = scorer._texts(scorer.chain[0], ["cat dog " * 9])
    assert texts["ids"][0, 0].tolist() == [2, 4, 5, 6, 10, 11, 10, 3]
    assert texts["mask"].min() == 1


def test_conversion_is_reproducible(world, folder, tmp_path):
    make_folder(world.system, tmp_path / "again", fp16=True, int8=True)
    for name in ("golden.json", "calibration.json", "manifest.json", "card.md"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_without_ratings_scores_are_raw_and_intervals_say_nothing(folder):
    scorer = Scorer(folder)
    inputs = batched(scorer, picture())
    raw, found = scorer.raw(inputs, "cat"), scorer.score(inputs, "cat")
    for aspect, (low, high) in {"quality": (0, 5), "alignment": (-1, 1)}.items():
        np.testing.assert_allclose(found[aspect]["score"], raw[aspect][:, 0], atol=1e-9)
        assert (found[aspect]["low"][0], found[aspect]["high"][0]) == (low, high)
        entry = read(folder, "calibration.json")["aspects"][aspect]
        assert entry["interval"]["coverage"] == 1
        assert (np.diff(entry["quantiles"]) > 0).all()
        assert low <= entry["quantiles"][0] < entry["quantiles"][-1] <= high
    assert "drawn test images" in read(folder, "calibration.json")["fittedOn"]


def test_card_tells_variants_calibration_and_meaning(folder):
    text = (folder / "card.md").read_text()
    assert text.startswith("# Tiny")
    assert "| `fp32-4` | " in text
    assert "on 4 of 15 windows" in text
    assert "percentiles mean little" in text
    assert "alignment: -1 (worst) to 1 (best), only with a prompt" in text
    assert "authenticity: not predicted" in text


def test_card_tells_what_fewer_windows_do(world, folder, tmp_path):
    text = (folder / "card.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "| alignment |" in line]
    assert [row[:2] for row in rows] == [["`fp32`", "15"], ["`fp32-4`", "4"], ["`fp32-1`", "1"]]
    assert [row[3] for row in rows] == ["16 of 16", "5 of 16", "2 of 16"]
    assert rows[0][5:] == ["0", "1.000"]
    spreads, apart, agreement = ([float(row[place]) for row in rows] for place in (4, 5, 6))
    assert min(spreads) > 0
    assert 0 < apart[1] != apart[2] > 0
    assert all(-1 <= value < 1 for value in agreement[1:])
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(20):
        picture(60 + number, 62).save(pictures / f"{number}.png")
    make_folder(replace(world.system, windows=(2, 1)), tmp_path / "out", images=pictures)
    assert "on some of the reference images" in (tmp_path / "out" / "card.md").read_text()
    items = [(picture(60, 62), ""), (picture(90, 70), "cat")]
    measured = window_effects(tmp_path / "out", read(tmp_path / "out"), items)
    assert {(e.variant, e.count) for e in measured} == {("fp32", 2), ("fp32-1", 1)}
    apart = {e.variant: e.apart for e in measured if e.aspect == "quality"}
    assert apart["fp32"] == 0 < apart["fp32-1"]


def test_percentiles_may_refer_to_pictures_without_prompts(world, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(20):
        picture(400 + 6 * number, 402).save(pictures / f"{number}.png")
    make_folder(replace(world.system, windows=(1,)), tmp_path / "out", images=pictures)
    assert (
        "20 images, scored with an empty prompt for alignment"
        in read(tmp_path / "out", "calibration.json")["fittedOn"]
    )
    assert "(alignment) got an empty one" in (tmp_path / "out" / "card.md").read_text()
    (pictures / "0.png").unlink()
    with pytest.raises(CheckpointError, match="expected at least 20 pictures, found 19"):
        make_folder(replace(world.system, windows=(1,)), tmp_path / "out", images=pictures)


def test_card_tells_how_far_variants_are_on_many_pairs(world, folder):
    text = (folder / "card.md").read_text()
    told = re.search(
        r"\| `int8` .*?\| quality ([\d.]+)% \(([\d.]+)%\), alignment ([\d.]+)% \(([\d.]+)%\)", text
    )
    largest, most, *alignment = (float(found) for found in told.groups())
    assert largest >= most > 0 and alignment[0] >= alignment[1] > 0
    assert "on 60 pairs of image and prompt (computer-drawn" in text
    assert "about one in 61 is further off" in text
    means = [
        Scorer(folder, variant).raw(batched(Scorer(folder), picture()), "cat")["quality"][0, 0]
        for variant in ("fp32", "int8")
    ]
    assert abs(means[0] - means[1]) / 5 * 100 < 3 * largest  # of an image that was not among them


def test_what_is_computed_once_a_prompt_keeps_its_bits(folder):
    graphs = {name: variant["graphs"] for name, variant in read(folder)["variants"].items()}
    assert graphs["int8"]["prompt"] == graphs["fp32"]["prompt"] != graphs["fp16"]["prompt"]
    assert graphs["int8"]["picture"] != graphs["fp32"]["picture"]


def test_drawn_pairs_differ_and_are_always_the_same():
    pairs, again = drawn_pairs(), drawn_pairs.__wrapped__()
    assert len(pairs) == PAIRS
    assert len({image.tobytes() for image, _ in pairs}) == PAIRS
    assert all(a[0].tobytes() == b[0].tobytes() for a, b in zip(pairs, again, strict=True))
    assert {"", "a cat"} < {prompt for _, prompt in pairs}


def test_pairs_hold_each_image_with_its_own_prompt_and_with_others():
    pairs = pairs_of([("a", "own"), ("b", ""), ("c", "third")])
    assert len(pairs) == PAIRS
    assert pairs[0] == ("a", "own") and pairs[2] == ("c", "third")
    assert len({prompt for image, prompt in pairs if image == "b"}) > 5
    assert len(pairs_of([(number, "x") for number in range(200)])) == PAIRS


def test_something_else_is_not_overwritten_but_an_earlier_folder_is(world, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(CheckpointError, match="expected nothing there or an earlier folder of tiny"):
        make_folder(world.system, tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text('{"id": "tiny"}')
    (out / "tiny.score.fp16.onnx").write_bytes(b"of an earlier version")
    make_folder(replace(world.system, windows=(1,)), out)
    assert not (out / "tiny.score.fp16.onnx").exists()


def test_a_variant_that_is_far_off_is_refused_and_nothing_is_replaced(world, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(variant_distance.LIMITS, "fp16", 1e-9)
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(CheckpointError, match=r"fp16: \w+ is off by .* convert without this variant"):
        make_folder(world.system, folder, fp16=True)
    assert (folder / "manifest.json").read_bytes() == before


def test_verify_names_a_variant_that_depends_on_the_batch(folder, monkeypatch):
    raw = Scorer.raw

    def wrong(scorer, pixels, prompt=None):
        found = raw(scorer, pixels, prompt)
        return {name: values + [len(pixels["windows"]), 0] for name, values in found.items()}

    monkeypatch.setattr(Scorer, "raw", wrong)
    with pytest.raises(VerifyError, match=r"fp32 quality: outputs differ by 2\.00e\+00 between batches"):
        list(check_invariance(folder, read(folder)))
