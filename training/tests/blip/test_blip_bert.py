import pytest
import torch

from assay_training.blip.bert import TextConfig, TextEncoder
from blip.blip_world import attention, dense, gelu, normal, scattered

SMALL = TextConfig(vocabulary=30, positions=12, width=8, layers=2, heads=2, hidden=10)
EPSILON = 1e-12


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return scattered(TextEncoder(SMALL, image_width=6), 0)


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def texts() -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask [2, 3, 9] with texts of different lengths."""
    ids = torch.randint(30, (2, 3, 9), generator=torch.Generator().manual_seed(2))
    lengths = torch.tensor([[9, 4, 2], [5, 9, 3]])
    return ids, (torch.arange(9) < lengths[..., None]).long()


def layer(x: torch.Tensor, seen: torch.Tensor, image: torch.Tensor, state: dict, name: str) -> torch.Tensor:
    """One text [L, W] about one image [S, V]."""
    for part, context, mask in (("attention", None, seen), ("crossattention", image, None)):
        context = x if context is None else context
        query, key, value = (
            dense(y, state, f"{name}.{part}.self.{kind}")
            for kind, y in (("query", x), ("key", context), ("value", context))
        )
        mixed = dense(attention(query, key, value, 2, mask), state, f"{name}.{part}.output.dense")
        x = normal(x + mixed, state, f"{name}.{part}.output.LayerNorm", EPSILON)
    y = dense(gelu(dense(x, state, f"{name}.intermediate.dense")), state, f"{name}.output.dense")
    return normal(x + y, state, f"{name}.output.LayerNorm", EPSILON)


def test_equals_plain_arithmetic(encoder, texts, image):
    state, (ids, mask) = encoder.state_dict(), texts
    found = encoder(ids, mask, image)
    assert found.shape == (2, 3, 9, 8)
    for n in range(2):
        for t in range(3):
            words = state["embeddings.word_embeddings.weight"][ids[n, t]]
            x = words + state["embeddings.position_embeddings.weight"][:9]
            x = normal(x, state, "embeddings.LayerNorm", EPSILON)
            for index in range(SMALL.layers):
                x = layer(x, mask[n, t], image[n], state, f"encoder.layer.{index}")
            torch.testing.assert_close(found[n, t], x, rtol=1e-4, atol=1e-4)


def test_padding_changes_nothing(encoder, texts, image):
    ids, mask = texts
    found = encoder(ids, mask, image)
    other = torch.where(mask == 1, ids, (ids + 7) % 30)
    torch.testing.assert_close(encoder(other, mask, image)[:, :, 0], found[:, :, 0])
    short = encoder(ids[:, 1:2, :4], mask[:, 1:2, :4], image)
    torch.testing.assert_close(short[0, 0], found[0, 1, :4], rtol=1e-4, atol=1e-5)
    unmasked = encoder(ids, torch.ones_like(mask), image)
    assert (unmasked - found)[0, 1, 0].abs().max() > 0.01


def test_texts_and_images_do_not_mix(encoder, texts, image):
    ids, mask = texts
    found = encoder(ids, mask, image)
    for n in range(2):
        for t in range(3):
            alone = encoder(ids[n : n + 1, t : t + 1], mask[n : n + 1, t : t + 1], image[n : n + 1])
            torch.testing.assert_close(found[n, t], alone[0, 0], rtol=1e-4, atol=1e-5)


def test_feature_depends_on_the_image(encoder, texts, image):
    ids, mask = texts
    assert (encoder(ids, mask, image) - encoder(ids, mask, image.flip(0)))[:, :, 0].abs().min(-1)[
        0
    ].max() > 1e-3


def test_keys_of_an_image_are_made_once_for_all_texts(encoder, texts, image):
    seen = []
    cross = encoder.encoder.layer[0].crossattention.self
    hooks = [
        module.register_forward_hook(lambda _, args, out: seen.append(tuple(out.shape)))
        for module in (cross.key, cross.value)
    ]
    encoder(*texts, image)
    for hook in hooks:
        hook.remove()
    assert seen == [(2, 5, 8), (2, 5, 8)]


def test_published_names_and_shapes():
    with torch.device("meta"):
        state = TextEncoder(TextConfig(), 1024).state_dict()
    shapes = {
        "embeddings.word_embeddings.weight": (30524, 768),
        "embeddings.position_embeddings.weight": (512, 768),
        "embeddings.LayerNorm.weight": (768,),
        "embeddings.LayerNorm.bias": (768,),
    }
    for index in range(12):
        name = f"encoder.layer.{index}"
        matrices = {"intermediate.dense": (3072, 768), "output.dense": (768, 3072)}
        for part, width in (("attention", 768), ("crossattention", 1024)):
            matrices |= {f"{part}.self.query": (768, 768), f"{part}.output.dense": (768, 768)}
            matrices |= {f"{part}.self.{kind}": (768, width) for kind in ("key", "value")}
        for key, shape in matrices.items():
            shapes |= {f"{name}.{key}.weight": shape, f"{name}.{key}.bias": shape[:1]}
        for part in ("attention.output", "crossattention.output", "output"):
            shapes |= {f"{name}.{part}.LayerNorm.{kind}": (768,) for kind in ("weight", "bias")}
    assert {key: tuple(value.shape) for key, value in state.items()} == shapes
