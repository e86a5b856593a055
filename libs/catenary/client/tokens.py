"""Text of calls without repetition or gap, whatever a broken stream sends twice or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from catenary.model.outcome import Outcome
from catenary.model.run import CallFinished, CallRestarted, CallTokens
from catenary.model.workflow import CallRef


@dataclass(slots=True)
class _Seen:
    """What was passed on of one call. ``ends`` maps the number of tokens passed on to the length of their text."""

    text: list[str] = field(default_factory=list)
    num_tokens: int = 0
    length: int = 0
    ends: dict[int, int] = field(default_factory=lambda: {0: 0})
    broken: bool = False


class TokenLedger:
    """Cuts what was already passed on off new text.

    Where tokens are missing, those after the gap are held back until the call ends: its record has the whole text.
    """

    def __init__(self) -> None:
        self._calls: dict[CallRef, _Seen] = {}

    def admit(self, tokens: CallTokens) -> CallTokens | None:
        """The part of ``tokens`` that is new and follows what was passed on; None where there is none."""
        seen = self._calls.setdefault(tokens.ref, _Seen())
        end = tokens.offset + tokens.num_tokens
        known = end < seen.num_tokens or (tokens.num_tokens > 0 and end == seen.num_tokens)
        if seen.broken or known:
            return None
        start = seen.ends.get(tokens.offset)
        if start is None:
            seen.broken = True
            return None
        text = tokens.text[seen.length - start :]
        fresh = replace(tokens, offset=seen.num_tokens, num_tokens=end - seen.num_tokens, text=text)
        self._pass_on(seen, fresh)
        return fresh

    def restart(self, event: CallRestarted) -> None:
        self._calls.pop(event.ref, None)

    def finish(self, event: CallFinished) -> CallTokens | None:
        """The rest of the text of a call that succeeded, where tokens were missed; forgets the call."""
        record = event.record
        seen = self._calls.pop(record.ref, None) or _Seen()
        text = "".join(seen.text)
        if record.outcome is not Outcome.SUCCEEDED or len(record.text) <= len(text) or not record.text.startswith(text):
            return None
        return CallTokens(
            ref=record.ref,
            attempt=record.attempts,
            offset=seen.num_tokens,
            num_tokens=max(0, record.output_tokens - seen.num_tokens),
            text=record.text[len(text) :],
        )

    @staticmethod
    def _pass_on(seen: _Seen, tokens: CallTokens) -> None:
        seen.text.append(tokens.text)
        seen.num_tokens += tokens.num_tokens
        seen.length += len(tokens.text)
        seen.ends[seen.num_tokens] = seen.length
