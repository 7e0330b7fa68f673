"""`trinco audit verify`."""

from __future__ import annotations

import json

import pytest
from django.db import models
from tests import support_panel
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.accounts.services import record

pytestmark = pytest.mark.django_db


def audit(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", *arguments])
    return result.exit_code, result.stdout


class TestVerify:
    """RELIABILITY 2, row 40: tamper test."""

    def test_whole_then_broken(self):
        ours = support_panel.organisation()
        for name in ("a.example", "b.example"):
            record(organisation=ours, actor=support_panel.ANA, action="domain.added", subject=name)
        told = {"organisation": ours.pk, "name": "ana@example.com", "lines": 2, "waiting": 0, "verdict": "whole"}
        told["digest"] = AuditEntry.objects.of(ours).get(subject="b.example").digest
        code, out = audit("verify", "--json")
        assert (code, json.loads(out)) == (0, [told])
        models.QuerySet(AuditEntry).filter(subject="b.example").update(actor="rui")
        code, out = audit("verify")
        assert (code, "line 2: what it says was changed" in out) == (1, True)

    def test_nothing_there(self):
        assert audit("verify") == (0, "No organisation yet.\n")
