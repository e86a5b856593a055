"""Text of calls across broken streams: nothing twice, nothing missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catenary.client.tokens import TokenLedger
from catenary.model.outcome import Outcome
from catenary.model.run import CallFinished, CallRecord, CallRestarted, CallTokens
from catenary.model.workflow import CallRef

REF = CallRef("a")


def tokens(offset: int, words: list[str]) -> CallTokens:
    return CallTokens(REF, 1, offset, len(words), "".join(words))


def finished(text: str, num: int, outcome: Outcome = Outcome.SUCCEEDED) -> CallFinished:
    return CallFinished(CallRecord(REF, "small", outcome=outcome, output_tokens=num, text=text))


def collect(ledger: TokenLedger, messages: list[CallTokens], end: CallFinished) -> list[CallTokens]:
    found = [ledger.admit(message) for message in messages] + [ledger.finish(end)]
    return [message for message in found if message is not None]


@given(
    words=st.lists(st.text(min_size=0, max_size=3), min_size=1, max_size=20),
    pieces=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=30),
)
def test_whatever_arrives_the_text_is_whole_and_offsets_have_no_gap(
    words: list[str], pieces: list[tuple[int, int]]
) -> None:
    text = "".join(words)
    messages = [tokens(start, words[start : start + count]) for start, count in pieces if words[start : start + count]]
    passed = collect(TokenLedger(), messages, finished(text, len(words)))
    assert "".join(message.text for message in passed) == text
    position = 0
    for message in passed:
        assert message.offset == position
        position += message.num_tokens


def test_a_message_that_repeats_and_goes_on_yields_its_new_part() -> None:
    ledger = TokenLedger()
    ledger.admit(tokens(0, ["a", "b"]))
    assert ledger.admit(tokens(0, ["a", "b", "c"])) == tokens(2, ["c"])


def test_text_held_back_arrives_without_tokens_of_its_own() -> None:
    ledger = TokenLedger()
    ledger.admit(CallTokens(REF, 1, 0, 2, "a"))
    assert ledger.admit(CallTokens(REF, 1, 2, 0, "b")) == CallTokens(REF, 1, 2, 0, "b")


def test_a_restarted_call_begins_anew() -> None:
    ledger = TokenLedger()
    ledger.admit(tokens(0, ["a", "b"]))
    ledger.restart(CallRestarted(REF, 2, "n > 1"))
    assert ledger.admit(tokens(0, ["x"])) == tokens(0, ["x"])


def test_a_failed_call_gets_no_more_text() -> None:
    ledger = TokenLedger()
    ledger.admit(tokens(0, ["a"]))
    assert ledger.finish(finished("ab", 2, Outcome.FAILED)) is None
