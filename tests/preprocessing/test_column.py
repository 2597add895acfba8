import json
import math

import pytest

from tfp_flows.preprocessing import Column

CASES = {
    "numbers": ("continuous", Column()),
    "integers": ("integer", Column(step=1)),
    "amounts from 0": ("positive", Column(low=0)),
    "amounts from 0 to 100": (("bounded", 0, 100), Column(low=0, high=100)),
    "rounded numbers, in steps of 0.1": (("rounded", 0.1), Column(step=0.1)),
    "numbers, with an atom at 0": (("atom", 0.0), Column(atoms=(0.0,))),
    "amounts from 0, over decades": ("log", Column(low=0, logarithmic=True)),
    "categories": ("category", Column(categories=())),
    "2 categories (a, b)": (("category", ["a", "b"]), Column(categories=("a", "b"))),
    "integers from 0, with an atom at 0": (
        ["integer", "positive", ("atom", 0)],
        Column(low=0, step=1, atoms=(0,)),
    ),
    "amounts from 0 to 1, with atoms at 0 and 1": (
        (("bounded", 0, 1), ("atom", 1, 0)),
        Column(low=0, high=1, atoms=(0, 1)),
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_words_columns_and_configurations_are_one(text):
    words, column = CASES[text]
    assert Column.read(words) == column
    assert str(column) == text
    assert Column.read(json.loads(json.dumps(column.get_config()))) == column
    assert hash(column) == hash(Column.read(column))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("whole", "'age'.*no kind 'whole'.*Kinds are"),
        (("bounded", 1), "takes 2 numbers"),
        (("bounded", 1, 0), "bounds must increase"),
        (("bounded", math.nan, 1), "bounds must increase, got nan and 1"),
        (("bounded", "low", 1), "'bounded' takes numbers, got 'low'\\. Kinds"),
        (("atom", None), "'atom' takes numbers, got None"),
        ("integr", "no kind 'integr': did you mean 'integer'\\?"),
        (("rounded", -1), "steps must be positive"),
        (["integer", ("rounded", 0.1)], "two words give step"),
        (["positive", ("atom", -1)], "atoms must be finite numbers from 0"),
        (["integer", ("atom", 0.5)], "atoms must be values of the column"),
        (["category", "positive"], "labels and nothing else"),
        (("category", ["a", "a"]), "labels must differ"),
        (("category", ["a"]), "two labels or more"),
        (["log", ("bounded", 0, 1)], "one bound"),
        (["integer", ("bounded", 0.2, 0.8)], "must lie a multiple"),
        (("periodic", 0), "takes both ends, such as 0 and 360"),
        (("periodic", 0, 360, "warp"), "may have 'wrap' behind"),
        (("periodic", 360, 0), "bounds must increase"),
        ((("periodic", 0, 24), ("rounded", 5)), "steps must divide the period"),
        ((("periodic", 0, 24), ("atom", 0)), "a periodic column has no atoms"),
        ((("periodic", 0, 24), ("bounded", 0, 12)), "two words give high"),
        (3, "kinds are words"),
        ({"wide": 3}, "wide"),
    ],
)
def test_bad_kinds_are_named(words, message):
    with pytest.raises(ValueError, match=message):
        Column.read(words, "age")


def test_what_stands_for_labels():
    assert Column(categories=(3, 1)).values == (3.0, 1.0)
    assert Column(categories=("x", 1)).values == (0.0, 1.0)
    assert Column().values is None
    assert not Column(low=0).is_discrete
    assert Column(low=0, atoms=(0,)).is_discrete


def test_grid():
    column = Column(step=0.1, offset=0.05, low=0.0, high=1.0)
    assert column.on_grid(0.35)
    assert not column.on_grid(0.3)
    assert column.first_and_last == pytest.approx((0.05, 0.95))
    assert Column(step=1, low=0.5).first_and_last == (1.0, math.inf)


def test_shares_are_said():
    column = Column(low=0, atoms=(0,))
    assert column.describe([0.71]) == "amounts from 0, 71 % 0 as an atom"
