"""How an engine behaves: one (model, accelerator, engine settings)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """An iteration model of a continuously batching engine, in seconds, tokens and bytes.

    Prefill of n tokens takes ``prefill_base_s + prefill_token_s * n + prefill_token2_s * n^2``; one decode step takes
    ``step_base_s + step_seq_s * batch + step_context_s * context`` where context counts the tokens in the KV cache of
    the whole batch. The form follows Vidur (microsoft/vidur).
    Zero sizes mean unknown (or, for ``kv_capacity_tokens``, not bounded).
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

    def prefill_s(self, prompt_tokens: float) -> float:
        return self.prefill_base_s + (self.prefill_token_s + self.prefill_token2_s * prompt_tokens) * prompt_tokens

    def step_s(self, batch: float, context_tokens: float = 0.0) -> float:
        return self.step_base_s + self.step_seq_s * batch + self.step_context_s * context_tokens
