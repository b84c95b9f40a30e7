"""How a page is entered, and what is said when a verb refuses. No page ever answers with a traceback."""

from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from rollback_audit.engine.actors import Actor, actor_for
from rollback_audit.errors import CavraError, InvalidInput, NotAllowed, StateForbids, StoreUnavailable, UnknownRecord
from rollback_audit.redaction import credential_rule
from rollback_audit.states import Permission

Page = Callable[..., HttpResponseBase]
# What a page does once it is entered: takes the request, the actor, and what the address names.
PageBody = Callable[..., HttpResponseBase]

_STATUS: dict[type[CavraError], int] = {InvalidInput: 400, NotAllowed: 403, UnknownRecord: 404, StateForbids: 409}


class SeeOther(HttpResponseRedirect):
    """After a POST: look there, by GET."""

    status_code = 303


def page(body: PageBody) -> Page:
    """A page for whoever is signed in and may view evidence. A verb's refusal becomes a calm page."""

    @never_cache
    @wraps(body)
    def entered(request: HttpRequest, **named: str | int) -> HttpResponseBase:
        try:
            if not admin.site.has_permission(request):
                return redirect_to_login(request.get_full_path(), resolve_url("admin:login"))
            actor = actor_for(request.user)
            actor.require(Permission.VIEW_EVIDENCE)
            # PostgreSQL cannot even be asked for a text with NUL in it.
            if any("\0" in str(part) for part in named.values()):
                raise UnknownRecord("No record has this id.")
            return body(request, actor, **named)
        except (StoreUnavailable, OperationalError, InterfaceError):
            return unavailable()
        except CavraError as refusal:
            return refused(request, refusal)

    return entered


def button(back: str) -> Callable[[PageBody], Page]:
    """A POST that ends in a redirect. Where the verb refuses, back to the page named, with the verb's own words."""

    def wrap(body: PageBody) -> Page:
        @wraps(body)
        def pressed(request: HttpRequest, actor: Actor, **named: str) -> HttpResponseBase:
            try:
                return body(request, actor, **named)
            except UnknownRecord:
                raise
            except (InvalidInput, NotAllowed, StateForbids) as refusal:
                messages.error(request, words_of(refusal))
                return SeeOther(resolve_url(back, **named))

        return require_POST(page(pressed))

    return wrap


class Refusals:
    """Inside it, a verb's refusal becomes an error of the form instead of an exception."""

    def __init__(self, form: forms.Form) -> None:
        self.form = form

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if isinstance(error, InvalidInput):
            for name, sentences in error.fields.items():
                known = name if name in self.form.fields else None
                self.form.add_error(known, [word if known else f"{name}: {word}" for word in sentences])
            return True
        if isinstance(error, NotAllowed | StateForbids):
            self.form.add_error(None, error.detail)
            return True
        return False


def show(request: HttpRequest, actor: Actor, template: str, **context: Any) -> HttpResponse:
    """A page. 400 where its `form` was refused."""
    form = context.get("form")
    if not (isinstance(form, forms.Form) and form.is_bound and form.errors):
        return render(request, template, {"actor": actor, **context})
    _take_back_credentials(form)
    return render(request, template, {"actor": actor, **context}, status=400)


def _take_back_credentials(form: forms.Form) -> None:
    """A refused form is drawn with what was typed: less what looks like a credential, in whichever field it is."""
    form.data = {name: typed for name, typed in form.data.items() if not credential_rule(str(typed))}


def read(form: forms.Form) -> dict[str, Any]:
    """What a button's form holds. Raises InvalidInput."""
    if not form.is_valid():
        raise InvalidInput({name: [str(word) for word in words] for name, words in form.errors.items()})
    return form.cleaned_data


def words_of(refusal: CavraError) -> str:
    if isinstance(refusal, InvalidInput):
        return " ".join(f"{name}: {word}" for name, sentences in refusal.fields.items() for word in sentences)
    return refusal.detail


def refused(request: HttpRequest, refusal: CavraError) -> HttpResponse:
    status = next((status for kind, status in _STATUS.items() if isinstance(refusal, kind)), 400)
    return render(request, "console/refused.html", {"status": status, "said": words_of(refusal)}, status=status)


def unavailable() -> HttpResponse:
    """The database is away. The template asks nothing of it, not even who is signed in."""
    text = render_to_string("console/unavailable.html")
    return HttpResponse(text, status=503, headers={"Retry-After": "10"})
