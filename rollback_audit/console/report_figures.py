"""The pictures of an executive report, drawn from the report alone: a stored one looks as it did then."""

from datetime import datetime

from rollback_audit.console.charts import HourChart, Segment, hour_chart, share_bar
from rollback_audit.records.executive_reports import ExecutiveReportRecord, ProviderSummaryRecord

NAMES = ("delivered", "open")


def deliveries_by_day(report: ExecutiveReportRecord) -> HourChart:
    """A bar for each day (UTC) of the report, by how that day's deliveries stood."""
    counts = {
        datetime.fromisoformat(row.date): {"delivered": row.delivered_count, "open": row.open_count}
        for row in report.delivery_trends
    }
    return hour_chart(counts, hours=list(counts), names=NAMES)


def providers_of(report: ExecutiveReportRecord) -> list[tuple[ProviderSummaryRecord, list[Segment]]]:
    """Each connector with its share bar; all bars are on one scale."""
    most = max((row.delivery_count for row in report.provider_summary), default=0)
    return [
        (row, share_bar({"delivered": row.delivered_count, "open": row.open_count}, whole=most))
        for row in report.provider_summary
    ]
