"""docs/api.md, word by word: what it tells to type works."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests import support_panel, support_web
from tests.support_api import key_of
from tests.support_labels import drawn

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"^```\n(curl .*?)```$", TEXT, re.MULTILINE | re.DOTALL) if "$PANEL" in block]
TOLD = "curl() { command curl -s -o /dev/null -w '%{http_code}\\n' \"$@\"; }\n"


@pytest.mark.django_db(transaction=True)
def test_every_example_works_in_its_order(live_server: Any, needs: Any, tmp_path: Path) -> None:
    """One after the other, as a reader goes through them."""
    needs("curl")
    key = key_of(support_web.owner_of(support_panel.organisation()), "admin")
    told = {**os.environ, "TOKEN": key, "PANEL": live_server.url, "NO_PROXY": "*", "no_proxy": "*"}
    (tmp_path / "logo.png").write_bytes(drawn())
    script = ["bash", "-c", TOLD + "\n".join(BLOCKS)]
    done = subprocess.run(script, env=told, cwd=tmp_path, capture_output=True, text=True, check=True)
    codes = dict(zip(BLOCKS, done.stdout.split(), strict=True))
    assert {block: code for block, code in codes.items() if code not in ("200", "201", "202")} == {}
    assert len(BLOCKS) >= 12
