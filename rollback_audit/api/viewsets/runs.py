"""Worker runs: start one, look at them and their results, pause, resume and stop one."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples, links, samples
from rollback_audit.api.answers import WorkerRunAnswer
from rollback_audit.api.filters import ResultFilters, RunFilters
from rollback_audit.api.pagination import ShallowPagination
from rollback_audit.api.serializers.reasons import ReasonSerializer
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.serializers.runs import WorkerRunCreateSerializer, request_of
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import queries, runs, worker
from rollback_audit.engine.receipts import FINISHED
from rollback_audit.engine.runs import RunAnswer
from rollback_audit.engine.worker import RunRequest
from rollback_audit.models import WorkerResult, WorkerRun
from rollback_audit.records.runs import RetryResultRecord, WorkerRunRecord
from rollback_audit.states import SCHEMA_PREFIX, Permission

MOST_WAIT_SECONDS = 60
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,4})\"?\s*(?:$|[,;])", re.IGNORECASE)


class WorkerRuns(EvidenceViewSet):
    # A live run asks for `execute_retry` as well, which only the body can tell: the engine does that.
    needs: ClassVar[Mapping[str, Permission]] = {
        "start": Permission.RUN_DRY,
        "pause": Permission.EXECUTE_RETRY,
        "resume": Permission.EXECUTE_RETRY,
        "abort": Permission.EXECUTE_RETRY,
    }
    may_wait = frozenset({"start"})
    filterset_class = RunFilters
    pagination_class = ShallowPagination
    listing = "worker-runs"
    page_schema_version = f"{SCHEMA_PREFIX}-worker-history.v1"

    def get_queryset(self) -> QuerySet[WorkerRun]:
        return queries.runs()

    @extend_schema(
        summary="Run the retry worker: dry by default, live when asked to execute",
        request=WorkerRunCreateSerializer,
        responses={200: shows(WorkerRunAnswer), 202: shows(WorkerRunAnswer)},
        examples=examples.WORKER_RUN,
    )
    def start(self, request: Request) -> Response:
        wanted = request_of(self.read(WorkerRunCreateSerializer))
        return self.once(lambda: self._start(wanted))

    @extend_schema(
        summary="Stop a live run: what has not been sent is skipped",
        request=ReasonSerializer,
        responses={200: shows(WorkerRunAnswer)},
        examples=examples.ABORT,
    )
    def abort(self, request: Request, run_id: str) -> Response:
        return self._change(worker.abort_run, run_id)

    @extend_schema(
        summary="Let a live run send nothing more until it is resumed",
        request=ReasonSerializer,
        responses={200: shows(WorkerRunAnswer)},
        examples=examples.PAUSE,
    )
    def pause(self, request: Request, run_id: str) -> Response:
        return self._change(worker.pause_run, run_id)

    @extend_schema(
        summary="Let a paused run go on where it stands",
        request=ReasonSerializer,
        responses={200: shows(WorkerRunAnswer)},
        examples=examples.RESUME,
    )
    def resume(self, request: Request, run_id: str) -> Response:
        return self._change(worker.resume_run, run_id)

    @extend_schema(
        summary="Worker runs, newest first, without their decisions",
        examples=samples.RUNS,
        responses=shows(WorkerRunRecord)(many=True),
    )
    def list(self, request: Request) -> Response:
        return self.page(lambda row: links.with_rest_of_run(runs.summary(row)))

    @extend_schema(
        summary="A worker run with its first 1,000 results",
        responses={200: shows(WorkerRunAnswer)},
        examples=samples.RUN,
    )
    def retrieve(self, request: Request, run_id: str) -> Response:
        return self._answer(worker.read_run(actor=self.actor, run_id=run_id))

    def _start(self, wanted: RunRequest) -> Response:
        answer = worker.start_run(actor=self.actor, request=wanted)
        seconds = wait_seconds(self.request.headers.get("Prefer", ""))
        if seconds and answer.run.state not in FINISHED:
            answer = worker.wait_for_run(actor=self.actor, run_id=answer.run.run_id, timeout_seconds=seconds)
        if answer.run.state in FINISHED:
            return self._answer(answer)
        return self._answer(answer, status=202, location=links.run_path(answer.run.run_id))

    def _change(self, verb: Callable[..., RunAnswer], run_id: str) -> Response:
        """Pause, resume or stop a run, for the reason that the body gives."""
        reason = self.read(ReasonSerializer)["reason"]
        return self.once(lambda: self._answer(verb(actor=self.actor, run_id=run_id, reason=reason)))

    def _answer(self, answer: RunAnswer, *, status: int = 200, location: str = "") -> Response:
        return answered(
            WorkerRunAnswer(
                run=links.with_rest_of_run(answer.run),
                metadata=answer.metadata,
                retry_metadata=answer.retry_metadata,
                retry_results=answer.retry_results,
                actor=self.signed_in,
            ),
            status=status,
            location=location,
        )


class WorkerRunResults(EvidenceViewSet):
    filterset_class = ResultFilters
    listing = "worker-run-results"
    page_schema_version = f"{SCHEMA_PREFIX}-worker-result-list.v1"
    page_key = "ordinal"
    page_ascending = True

    def get_queryset(self) -> QuerySet[WorkerResult]:
        return queries.results().filter(run__run_id=self.kwargs.get("run_id"))

    @extend_schema(
        summary="The results of a worker run, in the run's order", responses=shows(RetryResultRecord)(many=True)
    )
    def list(self, request: Request, run_id: str) -> Response:
        runs.find(run_id)
        present: Callable[[list[WorkerResult]], list[Any]] = runs.result_records
        return self.page_all(present)


def wait_seconds(prefer: str) -> int:
    """The seconds of `Prefer: wait=N` (RFC 7240, 4.3), at most 60; 0 without. Other preferences are ignored."""
    found = _WAIT.search(prefer)
    return min(int(found.group(1)), MOST_WAIT_SECONDS) if found else 0
