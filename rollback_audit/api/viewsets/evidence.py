"""What the ledger proves of itself: checkpoints, proofs, bundles, and the program that checks them."""

from typing import ClassVar

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import samples
from rollback_audit.api.filters import CheckpointFilters
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered, downloaded
from rollback_audit.engine import checkpoints, exports, proofs, queries
from rollback_audit.engine.export_scopes import Scope
from rollback_audit.evidence import notes
from rollback_audit.evidence.bundle import VERIFIER
from rollback_audit.models import LedgerCheckpoint
from rollback_audit.records.evidence import (
    CheckpointRecord,
    ConsistencyRecord,
    EntryProofRecord,
    LedgerStatusRecord,
)

LARGEST_TREE = 999_999_999
# An address has 8 KiB, and a note some 300 characters once it is encoded.
MOST_HELD = 10
LONGEST_HELD = 6000
_IDS = ("audit_id", "run_id", "delivery_id", "session_id")


class EvidenceLedger(EvidenceViewSet):
    @extend_schema(
        summary="How far the ledger is signed, and by which keys",
        responses={200: shows(LedgerStatusRecord)},
        examples=samples.LEDGER,
    )
    def retrieve(self, request: Request) -> Response:
        return answered(proofs.status(actor=self.actor))


class EvidenceCheckpoints(EvidenceViewSet):
    filterset_class = CheckpointFilters
    listing = "checkpoints"
    page_schema_version = "cavra.evidence.checkpoint-list.v1"
    page_key = "tree_size"

    def get_queryset(self) -> QuerySet[LedgerCheckpoint]:
        return queries.checkpoints()

    @extend_schema(summary="Signed checkpoints, newest first", responses=shows(CheckpointRecord)(many=True))
    def list(self, request: Request) -> Response:
        return self.page(checkpoints.record)

    @extend_schema(summary="The checkpoint of one size, as it was signed", responses={200: shows(CheckpointRecord)})
    def retrieve(self, request: Request, tree_size: int) -> Response:
        return answered(proofs.of_checkpoint(actor=self.actor, tree_size=tree_size))


class EvidenceProofs(EvidenceViewSet):
    @extend_schema(
        summary="An entry's place, and its audit path to the newest checkpoint",
        responses={200: shows(EntryProofRecord)},
        examples=samples.PROOF,
    )
    def retrieve(self, request: Request, session_id: str) -> Response:
        return answered(proofs.of_entry(actor=self.actor, session_id=session_id))


def _size(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, {"type": "integer", "minimum": 1, "maximum": LARGEST_TREE}, required=True, description=description
    )


class EvidenceConsistency(EvidenceViewSet):
    def query_names(self) -> set[str]:
        return {"old_size", "new_size"}

    @extend_schema(
        summary="The proof that the ledger only grew from one size to another",
        responses={200: shows(ConsistencyRecord)},
        parameters=[_size("old_size", "Entries then."), _size("new_size", "Entries later.")],
    )
    def retrieve(self, request: Request) -> Response:
        missing = self.query_names() - request.query_params.keys()
        if missing:
            raise ValidationError({name: ["Say which size."] for name in sorted(missing)})
        old_size, new_size = (
            self.whole(name, default=1, least=1, most=LARGEST_TREE) for name in ("old_size", "new_size")
        )
        return answered(proofs.of_consistency(actor=self.actor, old_size=old_size, new_size=new_size))


class EvidenceBundle(EvidenceViewSet):
    also_refuses: ClassVar[frozenset[int]] = frozenset({404, 409})

    def query_names(self) -> set[str]:
        return {"since", "checkpoints", *_IDS}

    @extend_schema(
        summary="Evidence to take along: exact entries, proofs, checkpoints, keys and the verifier, as a zip",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("since", OpenApiTypes.DATETIME, description="What has happened from this moment on."),
            *(
                OpenApiParameter(name, {"type": "string", "minLength": 1, "maxLength": 64}, description=description)
                for name, description in (
                    ("audit_id", "An audit package's deliveries, with their whole history."),
                    ("run_id", "A worker run's deliveries, with their whole history."),
                    ("delivery_id", "A delivery, with its whole history."),
                    ("session_id", "A single line and its proof."),
                )
            ),
            OpenApiParameter(
                "checkpoints",
                {"type": "string", "minLength": 1, "maxLength": LONGEST_HELD},
                description=f"Up to {MOST_HELD} notes that you kept, as the file you give to the verifier has them.",
            ),
        ],
    )
    def retrieve(self, request: Request) -> StreamingHttpResponse:
        ids = {name: self.narrowed_to(name) for name in _IDS}
        scope = Scope(since=self.moment("since"), **ids)
        bundle = exports.export(actor=self.actor, scope=scope, held=self._held(request))
        return downloaded(bundle.chunks(), name=bundle.name, media_type="application/zip")

    def _held(self, request: Request) -> list[str]:
        """The notes that the bundle is to be comparable with. Not read as a text: signatures look like credentials."""
        sent = request.query_params.get("checkpoints")
        if sent is None:
            return []
        held = list(notes.split(sent[: LONGEST_HELD + 1]))
        if not held or len(held) > MOST_HELD or len(sent) > LONGEST_HELD:
            raise ValidationError(
                {"checkpoints": [f"Expected 1 to {MOST_HELD} notes, {LONGEST_HELD} characters in all."]}
            )
        return held


class EvidenceVerifier(EvidenceViewSet):
    @extend_schema(
        summary="The program that checks bundles, offline: one file",
        responses={(200, "text/x-python"): OpenApiTypes.STR},
    )
    def retrieve(self, request: Request) -> StreamingHttpResponse:
        return downloaded([VERIFIER.read_bytes()], name=VERIFIER.name, media_type="text/x-python; charset=utf-8")
