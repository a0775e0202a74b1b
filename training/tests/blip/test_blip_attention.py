import torch
import torch.nn.functional as F

from assay_training.blip.attention import attend


def split(x: torch.Tensor, heads: int) -> torch.Tensor:
    return torch.stack(x.chunk(heads, -1), -3)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_equals_torch():
    query, key, value = drawn(2, 3, 4, 12), drawn(2, 3, 7, 12), drawn(2, 3, 7, 12).flip(-1)
    for heads in (1, 3, 4):
        wanted = F.scaled_dot_product_attention(*(split(x, heads) for x in (query, key, value)))
        torch.testing.assert_close(attend(query, key, value, heads), torch.cat(wanted.unbind(-3), -1))


def test_bias_hides_keys():
    query, key, value = drawn(2, 4, 12), drawn(2, 7, 12), drawn(2, 7, 12).flip(-1)
    seen = torch.tensor([[1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0]]).bool()
    bias = torch.where(seen, 0.0, -10000.0)[:, None, None]
    wanted = F.scaled_dot_product_attention(
        *(split(x, 3) for x in (query, key, value)), attn_mask=seen[:, None, None]
    )
    torch.testing.assert_close(attend(query, key, value, 3, bias), torch.cat(wanted.unbind(-3), -1))
