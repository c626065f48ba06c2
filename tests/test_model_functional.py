from __future__ import annotations

import torch

from tests.vectors_io import close
from unison_train.model.functional import rotate, rotation


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
