"""Tags: on a domain's page, on many domains of the list, and the page where they and the saved filters are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from trinco.core import tags as rules
from trinco.core.errors import TagSyntaxError, TrincoError
from trinco.core.names import Domain
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains import filters, tags
from trinco.panel.domains.errors import TagRefused
from trinco.panel.domains.models import State
from trinco.panel.domains.tag_models import SavedFilter, Tag
from trinco.panel.web import choosing, listing
from trinco.panel.web.access import MemberRequest, domain_of, may
from trinco.panel.web.refusals import refusal
from trinco.panel.web.tag_forms import FilterNameForm, TagsForm


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """All tags with their domains, and all saved filters."""
    saved = [(each, listing.query_of(each)) for each in listing.saved_of(request.organisation)]
    context = {"nav": "overview", "tags": tags.counted(request.organisation), "saved": saved}
    return render(request, "web/tags.html", context)


@require_POST
@may(Deed.DOMAINS_WRITE)
def of_domain(request: MemberRequest, name: Domain) -> HttpResponse:
    """Put tags on one domain, or take one off it."""
    domain, form = domain_of(request, name), TagsForm(request.POST)
    deed = tags.take_off if request.POST.get("do") == "take" else tags.put_on
    if _valid(request, form):
        facts = {"organisation": request.organisation, "domains": [domain], "names": form.cleaned_data["tags"]}
        _tried(request, lambda: deed(**facts, actor=actors.of(request)))
    return redirect("setup" if domain.state == State.SETUP else "domain", domain.name)


@require_POST
@may(Deed.DOMAINS_WRITE)
def of_many(request: MemberRequest) -> HttpResponse:
    """Put tags on the chosen domains, or take them off."""
    form, taking = TagsForm(request.POST), request.POST.get("do") == "take"
    back = redirect(reverse("overview") + listing.address(choosing.asked(request)))
    if not _valid(request, form):
        return back
    names = form.cleaned_data["tags"]
    domains = choosing.chosen(request, _done(names, taking=taking))
    if not domains:
        messages.warning(request, _("No domain was selected."))
        return back
    deed = tags.take_off if taking else tags.put_on
    facts = {"organisation": request.organisation, "domains": domains, "names": names, "actor": actors.of(request)}
    if (changed := _tried(request, lambda: deed(**facts))) is not None:
        text = ngettext("%(n)d domain changed.", "%(n)d domains changed.", changed)
        messages.success(request, text % {"n": changed})
    return back


@require_POST
@may(Deed.DOMAINS_WRITE)
def change(request: MemberRequest, pk: int) -> HttpResponse:
    """Rename a tag, or remove it."""
    tag = get_object_or_404(Tag.objects.of(request.organisation).select_related("organisation"), pk=pk)
    actor = actors.of(request)
    if request.POST.get("do") == "remove":
        tags.remove(tag=tag, actor=actor)
    else:
        _tried(request, lambda: tags.rename(tag=tag, name=request.POST.get("name", ""), actor=actor))
    return redirect("tags")


@require_POST
@may(Deed.DOMAINS_WRITE)
def save_filter(request: MemberRequest) -> HttpResponse:
    """Keep a filter of the list under a name."""
    form, wanted = FilterNameForm(request.POST), choosing.asked(request)
    if _valid(request, form):
        facts = {"organisation": request.organisation, "name": form.cleaned_data["name"], "asked": wanted.parameters}
        _tried(request, lambda: filters.save(**facts, actor=actors.of(request)))
    return redirect(reverse("overview") + listing.address(wanted))


@require_POST
@may(Deed.DOMAINS_WRITE)
def change_filter(request: MemberRequest, pk: int) -> HttpResponse:
    """Rename a saved filter, or remove it."""
    saved = get_object_or_404(SavedFilter.objects.of(request.organisation).select_related("organisation"), pk=pk)
    form, actor = FilterNameForm(request.POST), actors.of(request)
    if request.POST.get("do") == "remove":
        filters.remove(saved=saved, actor=actor)
    elif _valid(request, form):
        _tried(request, lambda: filters.rename(saved=saved, name=form.cleaned_data["name"], actor=actor))
    return redirect("tags")


def _done(names: tuple[str, ...], *, taking: bool) -> Q:
    """Those on which nothing would change, where there is one tag: of several it is not asked."""
    on = Q(tags__key=rules.key(names[0])) if names else Q()
    return (~on if taking else on) if len(names) == 1 else Q(pk__in=())


def _valid(request: MemberRequest, form: Form) -> bool:
    """Whether the form can be obeyed; what is wrong is said on the page that comes next."""
    for errors in form.errors.values():
        messages.warning(request, " ".join(map(str, errors)))
    return form.is_valid()


def _tried(request: MemberRequest, deed: Callable[[], Any]) -> Any:
    """What the deed gives; None where it was refused, which is said on the page that comes next."""
    try:
        return deed()
    except (TagRefused, TagSyntaxError) as error:
        refused: TrincoError = error
        messages.warning(request, refusal(refused))
        return None
