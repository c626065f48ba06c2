from __future__ import annotations

import torch

from tests.vectors_io import close, tensors
from unison_train.model.functional import rotate, rotation, sinusoid


def test_rotary_table() -> None:
    vectors = tensors("tables/tables")
    for table, name in zip(rotation(torch.arange(430), 96, 128, 10_000.0), ("cos", "sin"), strict=True):
        per_dimension = table.repeat_interleave(2, dim=-1)
        close(per_dimension[:64], vectors[f"rope_{name}_96_16_16_L430"], 1e-6)
        close(per_dimension[-8:], vectors[f"rope_{name}_tail"], 1e-6)


def test_time_sinusoid() -> None:
    vectors = tensors("tables/tables")
    close(sinusoid(vectors["t"]), vectors["sinusoid256"], 1e-6)


def test_rotated_products_depend_on_distance_alone() -> None:
    generator = torch.Generator().manual_seed(3)
    query, key = torch.randn(2, 64, generator=generator)

    def product(query_frame: float, key_frame: float) -> torch.Tensor:
        turned = [
            rotate(x, *rotation(torch.tensor(frame), 48, 64, 10_000.0))
            for x, frame in ((query, query_frame), (key, key_frame))
        ]
        return turned[0] @ turned[1]

    close(product(7.25, 2.5), product(107.25, 102.5))
    assert abs(product(7.25, 2.5) - product(7.25, 4.5)) > 0.1
