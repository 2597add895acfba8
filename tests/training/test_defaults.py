"""What `fit` builds for a name, against what its documentation promises."""

import numpy as np
import pytest

from tfp_flows import flows, training

ADAPTING = (
    *("nice", "realnvp", "nsf", "maf", "iaf", "nsf-ar", "maf-mol"),
    *("coupling", "autoregressive", "bernstein", "sos", "naf", "umnn"),
    *("tarflow", "series"),
)
TAILED = ("planar", "radial", "residual", "sylvester", "bnaf", "cnf")
NESTED = ("mixture", "augmented", "symmetric")


class Built(Exception):
    """Carries the flow that was built, in place of a fit."""


def built(monkeypatch, name, rows, columns, **options):
    def stop(flow, *_):
        raise Built(flow)

    monkeypatch.setattr(flows.flow_class(name), "adapt", stop)
    x = np.random.default_rng(0).normal(size=(rows, columns)).astype("float32")
    with pytest.raises(Built) as caught:
        training.fit(name, x, seed=0, **options)
    return caught.value.args[0]


def found(flow):
    return flow.base.kind, flow.get_config().get("dropout")


@pytest.mark.parametrize("name", ADAPTING)
def test_coupling_and_autoregressive_flows_have_tails_and_dropout(name, monkeypatch):
    flow = built(monkeypatch, name, 64, 3)
    assert found(flow) == ("student-t", 0.4 if name == "nsf-ar" else 0.2)
    mixing = (
        "lu" if name == "nsf-ar" else flows.build(name, 3).get_config().get("mixing")
    )
    assert flow.get_config().get("mixing") == mixing


@pytest.mark.parametrize("name", ADAPTING)
def test_plane_and_large_tables_have_no_dropout(name, monkeypatch):
    assert found(built(monkeypatch, name, 64, 2)) == ("student-t", 0.0)
    assert found(built(monkeypatch, name, 20_001, 3)) == ("student-t", 0.0)


@pytest.mark.parametrize("name", TAILED)
def test_flows_of_bends_have_tails(name, monkeypatch):
    # Where the network is the map, there is no dropout.
    dropout = None if name in ("bnaf", "residual", "cnf") else 0.0
    assert found(built(monkeypatch, name, 64, 3)) == ("student-t", dropout)


@pytest.mark.parametrize("name", NESTED)
def test_components_of_flows_of_flows_have_tails_and_dropout(name, monkeypatch):
    flow = built(monkeypatch, name, 64, 3)
    assert {found(each) for each in flow.components} == {("student-t", 0.2)}


@pytest.mark.parametrize(
    "name", sorted({*flows.names()} - {*ADAPTING, *TAILED, *NESTED, "any-order"})
)
def test_other_flows_keep_their_own_defaults(name, monkeypatch):
    own = flows.build(name, 3)
    assert found(built(monkeypatch, name, 64, 3)) == found(own)
    assert own.base.kind == ("uniform" if name == "circular" else "normal")


def test_what_is_given_wins(monkeypatch):
    options = {"base": "normal", "dropout": 0.1}
    assert found(built(monkeypatch, "iaf", 64, 3, **options)) == ("normal", 0.1)
