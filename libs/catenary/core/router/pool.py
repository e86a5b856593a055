"""One model's replicas, the calls placed on them and the calls that wait."""

from __future__ import annotations

from collections import deque

from catenary.core.router.absences import Absences, back_in_s
from catenary.core.router.arrivals import Arrivals
from catenary.core.router.pace import Pace
from catenary.core.router.queue import CallQueue
from catenary.core.router.settings import RouterSettings
from catenary.core.router.tempo import Tempo
from catenary.model.dispatch import NEVER, PoolState, QueuedCall, ReplicaLoad, Resident
from catenary.model.profile import EngineProfile
from catenary.model.worker import DROPPED, Replica, ReplicaState, Worker
from catenary.policy.prediction import remaining_tokens


class Pool:
    """Reservations and queues of one model. Only the router's core changes it."""

    def __init__(self, model: str, profile: EngineProfile, settings: RouterSettings) -> None:
        self.model = model
        self.pace = Pace(profile)
        self.settings = settings
        self.queue = CallQueue()
        self.late = CallQueue()
        self.replicas: dict[str, ReplicaLoad] = {}
        self.starting: dict[str, Replica] = {}
        self.resting: dict[str, ReplicaLoad] = {}  # with the calls that they keep while they drain or sleep
        self.asleep: dict[str, Replica] = {}
        self.arrivals = Arrivals()
        self.away = Absences(settings.return_grace_s)
        self.placed: dict[str, ReplicaLoad] = {}
        self._promised: deque[Resident] = deque()  # by expiry
        self.num_placed = 0
        self.num_late = 0
        self._tempos: dict[str, Tempo] = {}
        self._num_changes = 0
        self._held: tuple[str, int, float] = ("", 0, 0.0)

    @property
    def num_queued(self) -> int:
        return len(self.queue) + len(self.late)

    @property
    def num_seats(self) -> int:
        return sum(replica.max_num_seqs for replica in self.replicas.values())

    @property
    def fleet(self) -> tuple[int, ...]:
        return len(self.replicas), len(self.starting), len(self.away), len(self.asleep)

    def resident(self, call_id: str) -> Resident | None:
        load = self.placed.get(call_id)
        return load.residents.get(call_id) if load else None

    def reserve(self, call: QueuedCall, worker_id: str, expected_finish: float, now: float) -> ReplicaLoad:
        load = self.replicas[worker_id]
        resident = Resident(call, now + self.settings.reservation_ttl_s, expected_finish, seen_at=now)
        load.residents[call.call_id] = resident
        self._promised.append(resident)
        self.placed[call.call_id] = load
        self.num_placed += 1
        self._num_changes += 1
        self.num_late += call.late
        for block in call.prefix_hashes:
            load.prefixes.pop(block, None)
            load.prefixes[block] = None
        while len(load.prefixes) > self.settings.max_prefixes:
            del load.prefixes[next(iter(load.prefixes))]
        return load

    def release(self, call_id: str) -> Resident | None:
        load = self.placed.pop(call_id, None)
        if load is None:
            return None
        resident = load.residents.pop(call_id)
        self._num_changes += 1
        self.num_late -= resident.call.late
        return resident

    def hold(self, call: QueuedCall, until: float) -> None:
        """The call was found to wait: no need to look again before ``until`` while the places stay as they are."""
        self._held = (call.call_id, self._num_changes, until)

    def is_held(self, call: QueuedCall, now: float) -> bool:
        call_id, num_changes, until = self._held
        return call_id == call.call_id and num_changes == self._num_changes and now < until

    def share(self, worker_id: str, num_busy_beside: int) -> None:
        """The replica takes calls and so many other engines are busy on its accelerator: what that costs by the
        profile and by the tokens seen."""
        pace, load, tempo = self.pace, self.replicas[worker_id], self._tempos[worker_id]
        tempo.share(1.0 + pace.profile.sharing_loss * num_busy_beside)
        if load.slowness == tempo.slowness == pace.traffic.interference:
            return
        load.slowness = tempo.slowness
        mean = sum(replica.slowness for replica in self.replicas.values()) / len(self.replicas)
        pace.traffic = pace.traffic.at(mean)

    def update(self, worker: Worker, replica: Replica, now: float) -> list[Resident]:
        """Take a worker's snapshot in. Returns the placed calls that it shows to be gone."""
        self.starting.pop(worker.worker_id, None)
        self.asleep.pop(worker.worker_id, None)
        self._note_absence(worker.worker_id, replica, now)
        if not replica.takes_calls:
            return self._resting(worker.worker_id, replica, now)
        load = self.replicas.get(worker.worker_id) or self._rested(worker)
        if load is None or load.address != worker.address:
            gone = self._leave(worker.worker_id)
            load = ReplicaLoad(worker.worker_id, worker.address, self.model, replica.max_num_seqs, replica.lookahead)
            self.replicas[worker.worker_id] = load
            self._tempos[worker.worker_id] = Tempo()
        else:
            gone = []
            load.max_num_seqs, load.lookahead = replica.max_num_seqs, replica.lookahead
        return gone + self._reconcile(load, replica, now)

    def knows(self, worker_id: str) -> bool:
        known = worker_id in self.replicas or worker_id in self.resting or worker_id in self.starting
        return known or worker_id in self.asleep or worker_id in self.away

    def lose_worker(self, worker_id: str, now: float) -> list[Resident]:
        """The worker is gone, and expected back where it served the model or was about to."""
        asleep = self.settings.wakes and worker_id in self.asleep
        if asleep or worker_id in self.replicas or worker_id in self.starting:
            self.away.begin(worker_id, now)
        return self._remove(worker_id)

    def drop_worker(self, worker_id: str) -> list[Resident]:
        """The worker lives and has the model no more."""
        self.away.end(worker_id)
        return self._remove(worker_id)

    def _remove(self, worker_id: str) -> list[Resident]:
        self.starting.pop(worker_id, None)
        self.asleep.pop(worker_id, None)
        return self._leave(worker_id)

    def expired(self, now: float) -> list[Resident]:
        """Placed calls that no snapshot has shown within the time of a reservation."""
        found = []
        while self._promised and (self._promised[0].confirmed or self._promised[0].expires_at < now):
            resident = self._promised.popleft()
            if not resident.confirmed and self.resident(resident.call.call_id) is resident:
                found.append(resident)
        return found

    def state(self, now: float) -> PoolState:
        queued = sum([self.pace.predicted_s(call, call.output.mean) for call in self.queue.calls()])
        loading = [replica for replica in self.starting.values() if not replica.reserved]
        starts = [self._ready_in_s(replica) for replica in loading]
        away = self.away.current(now)
        starts += [back_in_s(self.pace.profile.start_s, now - since) for since in away.values()]
        can_wake = len(self.asleep) if self.settings.wakes else 0
        if can_wake and not starts and not self.replicas:
            profile = self.pace.profile
            starts = [
                profile.sleep_s + profile.wakes_in_s(replica.sleep_level == DROPPED, replica.weights_cold)
                for replica in self.asleep.values()
            ]
        return PoolState(
            model=self.model,
            num_replicas=len(self.replicas),
            num_seats=self.num_seats,
            num_running=len(self.placed),
            num_queued=self.num_queued,
            queued_work_s=queued,
            num_starting=len(self.starting) + len(away),
            ready_in_s=min(starts, default=0.0),
            interference=self.pace.traffic.interference,
            mean_prompt_tokens=self.pace.traffic.mean_prompt,
            mean_output_tokens=self.pace.traffic.mean_output,
            num_asleep=can_wake,
            num_late=len(self.late),
            slack_s=self._slack_s(now),
        )

    def _slack_s(self, now: float) -> float:
        """For how long all calls that can still be in time could pause; 0.0 where none of them has a deadline."""
        residents = [load.residents[call_id] for call_id, load in self.placed.items()]
        slacks = [
            resident.call.latest_finish - max(now, resident.expected_finish)
            for resident in residents
            if not resident.call.late and resident.call.latest_finish != NEVER
        ]
        slacks += [
            call.latest_finish - (now + self.pace.predicted_s(call, call.output.q50))
            for call in self.queue.calls()
            if call.latest_finish != NEVER
        ]
        return max(0.0, min(slacks, default=0.0))

    def _ready_in_s(self, replica: Replica) -> float:
        if replica.state is ReplicaState.ASLEEP:
            return replica.ready_in_s
        return max(0.0, self.pace.profile.start_s * (1 - replica.load_progress))

    def _note_absence(self, worker_id: str, replica: Replica, now: float) -> None:
        """A dead replica with an error is started again; one without was unloaded, or is not loaded yet."""
        if replica.state is ReplicaState.DRAINING:
            self.away.renew(worker_id, now)
        elif replica.state is ReplicaState.DEAD and replica.error:
            if worker_id in self.replicas:
                self.away.begin(worker_id, now)
        elif replica.state is not ReplicaState.DEAD or worker_id in self.resting:
            self.away.end(worker_id)

    def _resting(self, worker_id: str, replica: Replica, now: float) -> list[Resident]:
        """The replica takes no calls; those that it shows while it drains or sleeps stay placed there."""
        waking = replica.state is ReplicaState.ASLEEP and replica.ready_in_s > 0
        if replica.state is ReplicaState.ASLEEP and not waking:
            self.asleep[worker_id] = replica
        if (
            waking
            or replica.state is ReplicaState.LOADING
            or (replica.state is ReplicaState.AWAKE and replica.reserved)
        ):
            self.starting[worker_id] = replica
        if replica.state not in (ReplicaState.DRAINING, ReplicaState.ASLEEP):
            return self._leave(worker_id)
        load = self.replicas.pop(worker_id, None) or self.resting.get(worker_id)
        if load is None:
            return []
        self.resting[worker_id] = load
        return self._reconcile(load, replica, now)

    def _rested(self, worker: Worker) -> ReplicaLoad | None:
        """The replica takes calls again, beside those that it kept."""
        load = self.resting.pop(worker.worker_id, None)
        if load is not None:
            self.replicas[worker.worker_id] = load
        return load

    def _leave(self, worker_id: str) -> list[Resident]:
        self._tempos.pop(worker_id, None)
        loads = (self.replicas.pop(worker_id, None), self.resting.pop(worker_id, None))
        return [
            gone
            for load in loads
            if load is not None
            for call_id in list(load.residents)
            if (gone := self.release(call_id)) is not None
        ]

    def _reconcile(self, load: ReplicaLoad, replica: Replica, now: float) -> list[Resident]:
        held = {call.call_id: call for call in replica.calls}
        epoch, residents = self.settings.epoch, load.residents
        load.num_foreign = sum([call.router_epoch < epoch and call.call_id not in residents for call in replica.calls])
        step = self.pace.step_s(max(1, len(load.residents)))
        if replica.takes_calls:
            step_alone_s = self.pace.step_alone_s(max(1, replica.num_running))
            self._tempos[load.worker_id].follow(load.residents.values(), held, step_alone_s, now)
        gone = []
        for call_id, resident in list(load.residents.items()):
            seen = held.get(call_id)
            if seen is not None and seen.attempt == resident.call.attempt:
                resident.confirmed = True
                resident.output_tokens = seen.output_tokens
                resident.seen_at = now
                if seen.running and seen.output_tokens:
                    left = remaining_tokens(resident.call.output, seen.output_tokens)
                    resident.expected_finish = now + left * step
            elif resident.confirmed:
                gone.append(resident)
                self.release(call_id)
        return gone
