"""Imports of many domains (`imports`): what was given, line by line, and how each line ended."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.tenancy import TenantManager


class ImportState(models.TextChoices):
    """Where an import stands."""

    RUNNING = "running", _("Running")
    STOPPED = "stopped", _("Stopped")
    DONE = "done", _("Done")


class Ending(models.TextChoices):
    """How a line ended."""

    WAITING = "waiting", _("Waiting")
    ADDED = "added", _("Added")
    THERE = "there", _("There already")
    NAME = "name", _("Not a name that can be hosted")
    TWICE = "twice", _("Twice in the list")
    TAKEN = "taken", _("Served for somebody else")
    OURS = "ours", _("A name of this installation")
    MX = "mx", _("A mail server that is none")
    WIDE = "wide", _("A pattern that is too wide")
    TAGS = "tags", _("A tag that is none")
    CLIENT = "client", _("For an organisation that is not there")
    SEVERAL = "several", _("For one of several organisations")
    FACTOR = "factor", _("For an organisation that wants a second factor")
    SSO = "sso", _("For an organisation that wants single sign-on")


REFUSED = (
    *(Ending.NAME, Ending.TWICE, Ending.TAKEN, Ending.OURS, Ending.MX, Ending.WIDE, Ending.TAGS),
    *(Ending.CLIENT, Ending.SEVERAL, Ending.FACTOR, Ending.SSO),
)


class DomainImport(models.Model):
    """A list of domains that somebody gave, worked off by the worker in portions."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=7, choices=ImportState.choices, default=ImportState.RUNNING)
    actor = models.CharField(max_length=254)
    source = models.CharField(max_length=45, blank=True)
    provider = models.CharField(max_length=120, blank=True)
    token = models.CharField(max_length=32, blank=True)
    """Who gave it, as the log will say of each domain."""
    created_at = models.DateTimeField(default=timezone.now)
    turn_at = models.DateTimeField(default=timezone.now)
    """When it last had its turn: whose turn is longest ago comes next."""
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation"], condition=Q(state="running"), name="one_import_at_a_time"),
        ]


class ImportLine(models.Model):
    """One line of an import. What is wrong with it by itself is known from the beginning."""

    job = models.ForeignKey(DomainImport, on_delete=models.CASCADE, related_name="lines", db_index=False)
    number = models.PositiveIntegerField()
    """Counted from 1, as an editor shows it."""
    text = models.CharField(max_length=253, blank=True)
    """What stood where the name stands; control characters replaced, cut where it is long."""
    name = models.CharField(max_length=242, blank=True)
    """A-labels; "": it is none."""
    mx = models.JSONField(default=list)
    tags = models.JSONField(default=list, db_default=[])
    """As they are kept, each once."""
    client = models.ForeignKey(Organisation, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    """Whose the domain is to be, where the list says it; None: the organisation's that the list was given to."""
    ending = models.CharField(max_length=7, choices=Ending.choices, default=Ending.WAITING)
    detail = models.CharField(max_length=300, blank=True)
    """NAME, MX and TAGS: core's reason. WIDE: the pattern. TWICE: the number of the line that counts. CLIENT, SEVERAL,
    FACTOR and SSO: the name that was given."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("job__organisation")

    class Meta:
        ordering: ClassVar = ["number"]
        indexes: ClassVar = [models.Index(fields=["job", "ending", "number"], name="import_lines_by_ending")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "number"], name="one_line_per_number")]
