"""Flows that can only move and scale what one number is distributed by."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tfp_flows as tfpf
from tfp_flows.training.data import given, request

Y = np.random.default_rng(0).gamma(2.0, size=60).astype(np.float32)


def read(flow, x, condition=None, **options):
    asked = request.Request(flow, x, condition, validation=0.1, seed=0, options=options)
    return given.read(asked)


@pytest.mark.parametrize("name", ["linear", "maf", "iaf", "realnvp", "nice"])
def test_affine_flows_of_one_number_say_that_they_cannot_bend(name):
    with pytest.warns(UserWarning, match="only shifts and scales its base.*'nsf-ar'"):
        read(name, Y)


def test_flows_that_bend_say_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("nsf-ar", "nsf", "maf-mol", "rbig"):
            read(name, Y)
        read("maf", np.stack([Y, Y[::-1]], axis=1))
        read("maf", Y, base="gaussian-mixture")
        read("autoregressive", Y, transformer="bernstein")
    with pytest.warns(UserWarning, match="only shifts"):
        read("autoregressive", Y, transformer="affine")
    flow = tfpf.flows.build("maf", 1, 1)
    with pytest.warns(UserWarning, match="only shifts"):
        read(flow, Y, Y)


def test_rows_held_out_may_be_a_vector_too():
    held_out = Y[:6]
    found = given.read(request.Request("nsf", Y, validation=(held_out,), seed=0))
    np.testing.assert_array_equal(np.ravel(found.held_out.x), held_out)
