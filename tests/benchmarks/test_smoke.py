"""The benchmarks run. What they find at this size, beside whatever else the machine does, is no figure to quote."""

import re
import subprocess
import sys

import pytest

# Seconds of ours and of the least that could do it, as the tables of docs/benchmarks.md have them.
ROW = re.compile(r"^\| sqlite \| ([\d.]+) s\b[^|]*\| ([\d.]+) s\b", re.MULTILINE)
FAR_TOO_MUCH = 100


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_everything_is_measured_and_within_reason() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "--small", "sqlite"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    plan, drain, crowd, (exported, verified) = [(float(ours), float(least)) for ours, least in ROW.findall(done.stdout)]
    # A small time may be shown as 0.00.
    assert 0 < plan[0] < FAR_TOO_MUCH * max(plan[1], 0.01)
    assert 0 < crowd[0] < FAR_TOO_MUCH * crowd[1]
    assert 0 < drain[0] < FAR_TOO_MUCH * max(drain[1], 0.01)
    assert 0 < exported < FAR_TOO_MUCH
    assert 0 < verified < FAR_TOO_MUCH
