"""The page on scikit-learn: its code runs as it stands."""

import re

import pytest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_code_of_the_page_runs(repository, capsys):
    text = (repository / "docs" / "scikit_learn.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    names = {}
    exec(compile("\n".join(blocks), "scikit_learn.md", "exec"), names)
    assert "nats per wine" in capsys.readouterr().out
    assert set(names["detector"].labels_) == {0, 1}
