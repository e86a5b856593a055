"""How an engine behaves: one (model, accelerator, engine settings)."""

from __future__ import annotations

from dataclasses import dataclass

from catenary.model.prefill_curve import PrefillCurve, seconds_at


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """An iteration model of a continuously batching engine, in seconds, tokens and bytes.

    Prefill of n tokens takes ``prefill_base_s + prefill_token_s * n + prefill_token2_s * n^2``; one decode step takes
    ``step_base_s + step_seq_s * batch + step_context_s * context`` where context counts the tokens in the KV cache of
    the whole batch. The form follows Vidur (microsoft/vidur).

    Where ``prefill_curve`` is known it stands for the base and the linear part: an iteration that computes n prompt
    tokens, of one prompt or several, takes ``seconds_at(prefill_curve, n)`` beyond its decode step and the quadratic
    parts of its prompts. On an accelerator that is no line: such an iteration has a least time, and prompts that fit
    beside the reading of the weights cost little more.

    ``overhead_s`` is spent once per call outside the iterations; ``submit_s`` passes between two calls that come at
    once, before the engine sees the second.
    Zero sizes mean unknown (or, for ``kv_capacity_tokens``, not bounded).

    ``sharing_loss``: the share of its time by which an engine is slower for each other one that is busy on its
    accelerator. ``reload_s``: a wake after a sleep that dropped the weights, which reads them again. ``prefetch_s``:
    reading the weights from disk into the page cache; a start or such a wake takes so much longer where they are not
    there. 0: not measured.
    """

    model: str
    accelerator: str = "assumed"
    engine: str = "assumed"
    prefill_base_s: float = 0.005
    prefill_token_s: float = 0.0001
    prefill_token2_s: float = 0.0
    step_base_s: float = 0.01
    step_seq_s: float = 0.0002
    step_context_s: float = 0.0
    overhead_s: float = 0.0
    max_num_seqs: int = 16
    max_model_len: int = 0
    kv_capacity_tokens: int = 0
    kv_bytes_per_token: int = 0
    weights_bytes: int = 0
    peak_bytes: int = 0
    start_s: float = 0.0
    sleep_s: float = 0.0
    first_sleep_s: float = 0.0
    wake_s: float = 0.0
    correction: float = 1.0
    origin: str = "assumed"
    version: int = 0
    settings_digest: str = ""
    submit_s: float = 0.0
    prefill_curve: PrefillCurve = ()
    sharing_loss: float = 0.0
    reload_s: float = 0.0
    prefetch_s: float = 0.0

    @property
    def dropped_wake_s(self) -> float:
        """Until an engine whose weights were dropped takes calls; where that was not measured, as long as a start."""
        return self.reload_s or max(self.start_s, self.wake_s)

    def wakes_in_s(self, dropped: bool, cold: bool) -> float:
        """From sleep to the first call. ``dropped``: the weights have to be read again; ``cold``: from disk."""
        if not dropped:
            return self.wake_s
        return self.dropped_wake_s + (self.prefetch_s if cold else 0.0)

    @property
    def awake_bytes(self) -> int:
        """What the engine takes of its accelerator's memory while it is awake; 0: unknown."""
        cache = self.kv_bytes_per_token * self.kv_capacity_tokens
        return self.peak_bytes or (self.weights_bytes + cache if self.weights_bytes and cache else 0)

    def prefill_s(self, prompt_tokens: float) -> float:
        """What one prompt adds to the iteration that computes it alone."""
        if self.prefill_curve:
            return seconds_at(self.prefill_curve, prompt_tokens) + self.prefill_token2_s * prompt_tokens**2
        return self.prefill_base_s + (self.prefill_token_s + self.prefill_token2_s * prompt_tokens) * prompt_tokens

    def admission_s(self, num_prompts: float, prompt_tokens: float) -> float:
        """What ``num_prompts`` per iteration, of ``prompt_tokens`` each, add to the mean iteration."""
        if self.prefill_curve and num_prompts > 1:
            attention_s = num_prompts * self.prefill_token2_s * prompt_tokens**2
            return seconds_at(self.prefill_curve, num_prompts * prompt_tokens) + attention_s
        return num_prompts * self.prefill_s(prompt_tokens)

    def step_s(self, batch: float, context_tokens: float = 0.0) -> float:
        return self.step_base_s + self.step_seq_s * batch + self.step_context_s * context_tokens
