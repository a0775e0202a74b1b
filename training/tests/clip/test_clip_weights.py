import pickle
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from assay_training.checkpoints import CheckpointError
from assay_training.clip.archive import is_archive, read_archive
from assay_training.clip.weights import load_clip, read_clip
from clip.clip_world import TINY, huggingface_state, tiny_clip


@pytest.fixture(scope="module")
def state():
    return {key: value.detach() for key, value in tiny_clip().state_dict().items()}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A TorchScript archive as torch.jit.save writes it: nested modules, fp16 and fp32, a buffer."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2).half()
            self.register_buffer("counts", torch.arange(6).view(2, 3).T)
            self.sizes = [1, 2, 3]

        def forward(self, x):
            return self.fc(x) + self.sizes[0]

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.scale = Inner(), nn.Parameter(torch.tensor(2.5))
            self.blocks = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))

        def forward(self, x):
            return self.blocks(self.inner(x).float()) * self.scale

    torch.manual_seed(0)
    module, path = Outer(), tmp_path_factory.mktemp("archive") / "net.pt"
    torch.jit.save(torch.jit.script(module), str(path))
    return module, path


def same(found: dict, expected: dict) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[key], expected[key]) and found[key].dtype == expected[key].dtype for key in found
    )


def test_archive_gives_the_state_of_its_module(archive):
    module, path = archive
    assert is_archive(path)
    assert same(read_archive(path), dict(module.state_dict()))


def rewritten(archive, path, payload: bytes):
    """The archive with another pickle."""
    with zipfile.ZipFile(archive[1]) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, payload if name.endswith("/data.pkl") else old.read(name))
    return path


def test_archive_whose_pickle_calls_anything_is_refused(archive, tmp_path):
    class Harm:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'harmed')!r}, 'w')",))

    path = rewritten(archive, tmp_path / "net.pt", pickle.dumps(Harm(), protocol=2))
    with pytest.raises(CheckpointError, match="would run code stored in it"):
        read_archive(path)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("name", ["torch._utils _rebuild_qtensor", "builtins getattr", "torch load"])
def test_archive_with_unknown_names_is_refused(archive, tmp_path, name):
    module, function = name.split()
    path = rewritten(archive, tmp_path / "net.pt", f"c{module}\n{function}\n.".encode())
    with pytest.raises(CheckpointError, match=f"{module}.{function}"):
        read_archive(path)


def test_damaged_archives_are_refused(archive, tmp_path):
    path = rewritten(archive, tmp_path / "net.pt", b"\x80\x02}")
    with pytest.raises(CheckpointError, match="cannot be read as a TorchScript archive"):
        read_archive(path)
    with zipfile.ZipFile(archive[1]) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[: len(content) // 2] if "/data/" in name else content)
    with pytest.raises(CheckpointError, match="cannot be read as a TorchScript archive"):
        read_archive(path)
    path.write_bytes(archive[1].read_bytes()[:400])
    assert not is_archive(path)


def test_tensors_beyond_their_storage_are_refused(archive, tmp_path):
    start = b"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI1\ntQ"
    path = rewritten(archive, tmp_path / "net.pt", start + b"I0\n(I100000\nt(I1\ntI00\nNt" + b"R.")
    with pytest.raises(CheckpointError, match="cannot be read as a TorchScript archive"):
        read_archive(path)


def test_every_form_gives_the_same_weights(state, tmp_path):
    class Holder(nn.Module):
        """The tensors under OpenAI's names, with the numbers that OpenAI stores beside them."""

        def __init__(self, state):
            super().__init__()
            for key, value in state.items():
                place, names = self, key.split(".")
                for name in names[:-1]:
                    if name not in place._modules:
                        place.add_module(name, nn.Module())
                    place = place._modules[name]
                place.register_buffer(names[-1], value)
            self.register_buffer("input_resolution", torch.tensor(16))

    torch.jit.save(torch.jit.script(Holder(state)), str(tmp_path / "openai.pt"))
    torch.save(state, tmp_path / "plain.pt")
    folder = tmp_path / "hf"
    folder.mkdir()
    save_file(huggingface_state(state), folder / "model.safetensors")
    for path in (tmp_path / "openai.pt", tmp_path / "plain.pt", folder, folder / "model.safetensors"):
        assert same(read_clip(path), state), path
    reference, found = tiny_clip(), load_clip(folder, TINY)
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(found.encode_image(images), reference.encode_image(images))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"patch": 8}, "visual.conv1.weight"),
        ({"width": 24}, "visual.conv1.weight"),
        ({"side": 20}, "visual.positional_embedding"),
        ({"vocabulary": 531}, "token_embedding.weight"),
        ({"layers": 3}, "visual.transformer: expected 3 blocks, found 2"),
        ({"text_layers": 2}, "transformer: expected 2 blocks, found 3"),
    ],
)
def test_clip_of_the_wrong_size_is_named(state, tmp_path, change, key):
    path = tmp_path / "clip.pt"
    torch.save(state, path)
    with pytest.raises(CheckpointError) as caught:
        load_clip(path, replace(TINY, **change))
    assert str(caught.value).startswith(f"{path}: a CLIP of the wrong size: {key}")


def test_what_is_no_clip_is_named(tmp_path, state):
    path = tmp_path / "other.pt"
    torch.save({"backbone.weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match=r"visual\.conv1\.weight is missing"):
        load_clip(path, TINY)
    with pytest.raises(CheckpointError, match=r"expected model\.safetensors, .* in the folder, found none"):
        load_clip(tmp_path, TINY)
    strange = huggingface_state(state) | {"text_model.head.weight": torch.zeros(2)}
    save_file(strange, tmp_path / "strange.safetensors")
    with pytest.raises(CheckpointError, match=r"text_model\.head\.weight: no tensor of a CLIP"):
        load_clip(tmp_path / "strange.safetensors", TINY)
