"""Tell, call by call, when latency has stopped falling: AndroidX Benchmark's warm-up rule."""

from __future__ import annotations

from deploy.contracts.plan import WarmUp

_FAST = 0.1
_SLOW = 0.005


class SteadyDetector:
    """Two exponential moving averages; warm-up is over when they agree long enough, or time is up.

    The rule is AndroidX's ``WarmupManager`` as ``WarmUp`` states it: time is the sum of the latencies, the
    first call only starts the averages, and the agreement must hold for ``steady_iterations`` calls in a row
    (AndroidX waits for one more). Here ``max_ns`` ends warm-up even below ``min_iterations``.
    Plain integers and floats only: a call costs well under a microsecond of the loop it watches.
    """

    __slots__ = ("_fast", "_slow", "iterations", "rule", "similar", "steady", "total_ns")

    def __init__(self, rule: WarmUp | None = None) -> None:
        self.rule = rule or WarmUp()
        self.iterations = 0
        self.similar = 0
        self.total_ns = 0
        self.steady = False
        self._fast = 0.0
        self._slow = 0.0

    def observe(self, latency_ns: int) -> bool:
        """Take one call's latency in nanoseconds; True when warm-up is over.

        ``steady`` then says whether the averages agreed (True) or time ran out (False).
        """
        rule = self.rule
        self.iterations += 1
        self.total_ns += latency_ns
        if self.iterations == 1:
            self._fast = self._slow = float(latency_ns)
        else:
            self._fast += _FAST * (latency_ns - self._fast)
            self._slow += _SLOW * (latency_ns - self._slow)
            similar = abs(self._fast - self._slow) < rule.band * self._slow
            self.similar = self.similar + 1 if similar else 0
        self.steady = (
            self.similar >= rule.steady_iterations
            and self.iterations >= rule.min_iterations
            and self.total_ns >= rule.min_ns
        )
        return self.steady or self.total_ns >= rule.max_ns
