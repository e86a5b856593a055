"""vLLM's AsyncLLM behind the Engine port. vLLM is imported when an engine starts, in a thread."""

from __future__ import annotations

import asyncio
import gc
import os
from dataclasses import replace
from typing import Any

import structlog

from catenary.core.worker.events import EngineFacts, EngineStats
from catenary.model.worker import DROPPED
from catenary.runtime.clock import now
from catenary.runtime.cores import ENGINE_CORES_VARIABLE, cores_of
from catenary.runtime.model_cache import HeldModel
from catenary.runtime.models import ModelSourceError, hold_source
from catenary.runtime.tasks import cancel
from catenary_worker.accelerator import Accelerator
from catenary_worker.daemon_thread import in_daemon_thread
from catenary_worker.engine import EngineCall, EngineError, EngineListener
from catenary_worker.engine_processes import EngineProcesses
from catenary_worker.start_times import StartTimes
from catenary_worker.vllm_call import VllmCall
from catenary_worker.vllm_settings import VllmSettings
from catenary_worker.vllm_stats import StepStats
from catenary_worker.weights import weights_bytes

_LIVENESS_S = 0.25
_KILL_AFTER_S = 10.0
_GIVE_UP_AFTER_S = 2.0
_DUMMY = "dummy"


class VllmEngine:
    """One AsyncLLM and its processes, which are all in one scope."""

    def __init__(
        self, settings: VllmSettings, processes: EngineProcesses, start_times: StartTimes, accelerator: Accelerator
    ) -> None:
        self._settings = settings
        self._accelerator = accelerator
        self._processes = processes
        self._scope = processes.scope(settings.model)
        self._start_times = start_times
        self._build_thread: asyncio.Future[EngineFacts] | None = None
        self._stats = StepStats()
        self._llm: Any = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._liveness: asyncio.Task[None] | None = None
        self._stopping = False
        self._held: HeldModel | None = None
        self._weights_dropped = False

    async def start(self, listener: EngineListener) -> EngineFacts:
        self._listener = listener
        free_bytes = await self._free_bytes()
        began = now()
        self._build_thread = in_daemon_thread(self._build, f"start of {self._settings.model}")
        try:
            facts = await asyncio.shield(self._build_thread)
        except (ModelSourceError, EngineError) as error:
            raise EngineError(str(error)) from error
        except Exception as error:  # vLLM raises anything at start
            structlog.get_logger().exception("vLLM did not start", model=self._settings.model)
            raise EngineError(f"vLLM did not start: {type(error).__name__}: {error}") from error
        gc.freeze()  # what torch and vLLM made at import is not walked through while tokens flow
        self._start_times.note(self._settings.model, now() - began)
        self._liveness = asyncio.create_task(self._watch(), name=f"liveness of {self._settings.model}")
        return replace(facts, memory_bytes=max(0, free_bytes - await self._free_bytes()))

    def submit(self, call: EngineCall) -> None:
        run = VllmCall(call, self._llm, self._listener, self._stats)
        task = asyncio.create_task(run.run(), name=f"call {call.call_id}")
        self._tasks[call.handle] = task
        task.add_done_callback(lambda _: self._done(run))

    def abort(self, handle: int) -> None:
        if (task := self._tasks.get(handle)) is not None:
            task.cancel()

    def stats(self) -> EngineStats:
        return self._stats.newest()

    async def sleep(self, level: int, freeze: bool) -> None:
        if self._settings.on_cpu:
            raise EngineError("vLLM on a CPU cannot sleep; unload the model instead")
        try:
            await self._llm.sleep(level, mode="keep" if freeze else "abort")
        except Exception as error:  # whatever the engine process raised
            raise EngineError(f"vLLM did not sleep: {type(error).__name__}: {error}") from error
        self._weights_dropped = level >= DROPPED

    async def wake(self) -> None:
        try:
            if self._weights_dropped:
                await self._llm.wake_up(["weights"])
                if self._settings.config.engine_args.get("load_format") != _DUMMY:
                    await self._llm.collective_rpc("reload_weights")
                await self._llm.wake_up(["kv_cache"])
                self._weights_dropped = False
            else:
                await self._llm.wake_up()
        except Exception as error:  # whatever the engine process raised
            raise EngineError(f"vLLM did not wake: {type(error).__name__}: {error}") from error

    async def stop(self) -> None:
        self._stopping = True
        await cancel(*self._tasks.values(), *((self._liveness,) if self._liveness else ()))
        if self._llm is not None:
            ended = in_daemon_thread(self._llm.shutdown, f"end of {self._settings.model}")
            await asyncio.wait((ended,), timeout=_KILL_AFTER_S)
        await self._give_up_start()
        await asyncio.to_thread(self._scope.kill)
        if self._held is not None:
            self._held.release()

    async def _give_up_start(self) -> None:
        """A start in its thread ends, with an error, at its next step or when it has lost its processes."""
        build, give_up_at = self._build_thread, now() + _GIVE_UP_AFTER_S
        while build is not None and not build.done():
            if now() > give_up_at:
                self._processes.leave_to_guard()
                return
            await asyncio.to_thread(self._scope.kill)
            await asyncio.wait((build,), timeout=_LIVENESS_S)

    async def _free_bytes(self) -> int:
        """Of the accelerator, on which nothing else starts or sleeps now; 0 on a CPU, whose memory is everybody's."""
        if self._settings.on_cpu:
            return 0
        await self._accelerator.refresh()
        return self._accelerator.free_bytes

    def _done(self, run: VllmCall) -> None:
        self._tasks.pop(run.call.handle, None)
        run.finish()

    async def _watch(self) -> None:
        """Tell the listener when the engine's processes have died."""
        while True:
            await asyncio.sleep(_LIVENESS_S)
            if self._llm.errored:
                break
        if not self._stopping:
            self._listener.failed("the vLLM engine process ended; its log says why")

    def _build(self) -> EngineFacts:
        """Blocks until the engine is up. Its processes inherit the mark of the scope."""
        settings = self._settings
        self._held = hold_source(settings.config.source, settings.cache_dir, settings.cache_max_bytes)
        folder = self._held.folder
        os.environ.update(settings.environment() | self._scope.environment() | self._processes.environment())
        self._go_on()
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        arguments = AsyncEngineArgs(**settings.engine_args(folder))
        self._go_on()
        if hasattr(os, "sched_setaffinity") and (cores := cores_of(os.environ.get(ENGINE_CORES_VARIABLE, ""))):
            os.sched_setaffinity(0, cores)  # of this thread, whose processes inherit it
        loggers: Any = [self._stats]
        self._llm = AsyncLLM.from_engine_args(arguments, stat_loggers=loggers)
        cache = self._llm.vllm_config.cache_config
        return EngineFacts(
            max_model_len=self._llm.model_config.max_model_len,
            weights_bytes=weights_bytes(folder),
            kv_capacity_tokens=(getattr(cache, "num_gpu_blocks", 0) or 0) * (cache.block_size or 0),
        )

    def _go_on(self) -> None:
        if self._stopping:
            raise EngineError("stopped before it was up")
