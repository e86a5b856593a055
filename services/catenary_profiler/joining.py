"""What prompts add to a batch that decodes, from the times at which its tokens come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from catenary.model.profile_point import GridPoint
from catenary.runtime import clock
from catenary.v1 import worker_service_pb2 as pb
from catenary_profiler.driver import EngineDriver, Sample

SETTLING_TOKENS, PACE_TOKENS = 8, 24


@dataclass(slots=True)
class _Pace:
    """How many tokens of a call have come, and when the last of them did."""

    call_id: str
    tokens: int = 0
    at_s: float = 0.0

    def take(self, response: pb.GenerateResponse) -> None:
        for delta in response.deltas:
            if delta.call_id == self.call_id:
                self.tokens += len(delta.token_ids)
                self.at_s = clock.now()


async def measure_joining(driver: EngineDriver, guests: GridPoint, hosts: GridPoint) -> Sample:
    """Seconds that one of ``guests.batch`` prompts, one after the other, adds to the iterations of ``hosts``.

    The hosts' pace alone is measured just before, and they are aborted at the end. Raises ProfileFailed as
    ``EngineDriver.measure`` does.
    """
    async with driver.failing(guests):
        host = _Pace((await driver.send(hosts))[-1])
        settled = await _reach(driver, hosts, host, SETTLING_TOKENS)
        alone = await _reach(driver, hosts, host, settled.tokens + PACE_TOKENS)
        transports = [await _visit(driver, guests, host) for _ in range(guests.batch)]
        last = await _reach(driver, hosts, host, host.tokens + 1)
        await driver.abort()
    step_s = (alone.at_s - settled.at_s) / (alone.tokens - settled.tokens)
    beyond_s = last.at_s - alone.at_s - (last.tokens - alone.tokens) * step_s
    return Sample(max(0.0, beyond_s / guests.batch), 1, median(transports))


async def _reach(driver: EngineDriver, point: GridPoint, host: _Pace, tokens: int) -> _Pace:
    """The host's pace once it has so many tokens."""
    while host.tokens < tokens:
        host.take(await driver.next(point))
    return replace(host)


async def _visit(driver: EngineDriver, guests: GridPoint, host: _Pace) -> float:
    """One guest, from its start to its end; its way to the worker and back in seconds."""
    sent_s = clock.now()
    (guest,) = await driver.send(replace(guests, batch=1))
    while True:
        response = await driver.next(guests)
        host.take(response)
        for end in response.ends:
            if end.call_id == guest:
                return max(0.0, clock.now() - sent_s - end.duration_us * 1e-6)
