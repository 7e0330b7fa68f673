"""Going from one organisation to another, and all clients of a provider at once."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from trinco.panel import doors, mounts
from trinco.panel.accounts import actors, mfa, people, sso_terms
from trinco.panel.accounts.access import visible
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains import finding
from trinco.panel.domains.models import HostedDomain
from trinco.panel.web import listing, overview, paging
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.people_forms import ClientForm
from trinco.panel.web.presenters import clients as by_clients
from trinco.panel.web.presenters.overview import OverviewRow, overview_rows


@dataclass(frozen=True, slots=True)
class Choice:
    """An organisation that the person may go to. `provider` is named to the provider's own people alone."""

    organisation: Organisation
    provider: str

    @property
    def root(self) -> str:
        return mounts.root(self.organisation.pk)


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A domain of a client."""

    row: OverviewRow

    @property
    def root(self) -> str:
        return mounts.root(self.row.domain.organisation_id)

    @property
    def href(self) -> str:
        return f"{self.root}domains/{self.row.domain.name}/"


@require_GET
@may(Deed.READ)
def choose(request: MemberRequest) -> HttpResponse:
    """Where the person may go, by name."""
    find = overview.typed(request.GET, "q")
    seen = doors.within(request, visible(request.user)).select_related("parent").order_by("name", "pk")
    page, found = paging.page_of(request, seen.filter(name__icontains=find) if find else seen)
    staff = set(request.user.memberships.values_list("organisation", flat=True))
    rows = [Choice(each, _provider(each, staff)) for each in found]
    context = {"nav": "", "page": page, "page_query": paging.query_without_page(request), "rows": rows, "find": find}
    return render(request, "web/organisations.html", context)


@require_GET
@may(Deed.READ)
def clients(request: MemberRequest) -> HttpResponse:
    """The domains of all clients and of the provider itself, worst first, by client and name."""
    mine = _of_provider(request)
    chosen, narrowed = request.GET.get("client", ""), overview.asked(request.GET)
    wanted = mine.filter(pk=int(chosen)) if chosen.isascii() and chosen.isdigit() and len(chosen) < 18 else mine
    rows = finding.fitting(overview.hosted_by(wanted), narrowed.wanted)
    page, found = (paging.page_of_found if narrowed.search else paging.page_of)(request, rows.prefetch_related("tags"))
    context = {
        "nav": "clients",
        "clients": list(mine.order_by("name", "pk")),
        **_locked(request),
        "chosen": int(chosen) if wanted is not mine else None,
        **listing.choices(narrowed),
        "page": page,
        "page_query": paging.query_without_page(request),
        "rows": _rows(found),
        "form": ClientForm(),
    }
    return render(request, "web/clients.html", context)


@require_GET
@may(Deed.READ)
def by_client(request: MemberRequest) -> HttpResponse:
    """The provider and its clients, each with how many domains stand how, worst first."""
    every = by_clients.lines(_of_provider(request))
    find = overview.typed(request.GET, "q")
    page = paging.page_of_all(request, by_clients.named(every, find))
    context = {
        "nav": "clients",
        "clients": every,
        **_locked(request),
        "find": find,
        "page": page,
        "page_query": paging.query_without_page(request),
        "rows": by_clients.rows(page.object_list),
        "form": ClientForm(),
    }
    return render(request, "web/by_client.html", context)


@require_POST
@may(Deed.CLIENTS_MANAGE)
def add(request: MemberRequest) -> HttpResponse:
    """A new client; the way leads to its people."""
    _of_provider(request)
    form = ClientForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest()
    client = people.add_client(provider=request.organisation, name=form.cleaned_data["name"], actor=actors.of(request))
    return redirect(f"{mounts.root(client.pk)}people/")


def _rows(domains: list[HostedDomain]) -> list[ClientRow]:
    return [ClientRow(each) for each in overview_rows(domains)]


def _of_provider(request: MemberRequest) -> QuerySet[Organisation]:
    """The provider and its clients, without those that want a second factor first. Raises Http404: it is a client."""
    if request.organisation.parent_id is not None:
        raise Http404
    clients = mfa.open_clients(request.membership)
    return visible(request.user).filter(Q(pk=request.organisation.pk) | Q(pk__in=clients))


def _locked(request: MemberRequest) -> dict[str, int]:
    """For `_locked_clients.html`."""
    access = request.membership
    return {"locked": mfa.locked_clients(access), "locked_sso": sso_terms.locked_clients(access)}


def _provider(organisation: Organisation, staff: set[int]) -> str:
    """The name of its provider, for those who belong to that one too."""
    return organisation.parent.name if organisation.parent and organisation.parent_id in staff else ""
