"""Evidence to take along: bundles, the program that checks them, and checkpoints to keep elsewhere."""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from rollback_audit.console.doors import page, read, show
from rollback_audit.console.forms import BundleForm
from rollback_audit.engine import exports, proofs
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.export_scopes import Scope
from rollback_audit.errors import InvalidInput
from rollback_audit.evidence.bundle import VERIFIER


@require_safe
@page
def bundle(request: HttpRequest, actor: Actor) -> StreamingHttpResponse:
    """What the address names, or the whole ledger: a mistyped name must not give everything in the place of a part."""
    if request.GET.keys() - BundleForm.base_fields.keys():
        raise InvalidInput({"address": [f"It may name one of {', '.join(BundleForm.base_fields)}."]})
    made = exports.export(actor=actor, scope=Scope(**read(BundleForm(request.GET))))
    return _downloaded(made.chunks(), name=made.name, media_type="application/zip")


@require_safe
@page
def verifier(request: HttpRequest, actor: Actor) -> StreamingHttpResponse:
    return _downloaded([VERIFIER.read_bytes()], name=VERIFIER.name, media_type="text/x-python; charset=utf-8")


@require_safe
@page
def checkpoint(request: HttpRequest, actor: Actor, tree_size: int) -> HttpResponse:
    record = proofs.of_checkpoint(actor=actor, tree_size=tree_size)
    return show(request, actor, "console/checkpoint.html", checkpoint=record)


def _downloaded(chunks: Iterable[bytes], *, name: str, media_type: str) -> StreamingHttpResponse:
    disposition = content_disposition_header(as_attachment=True, filename=name)
    return StreamingHttpResponse(chunks, content_type=media_type, headers={"Content-Disposition": disposition})
