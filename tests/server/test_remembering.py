from crm_framework.server.remembering import remembered


def test_short_texts_that_come_again_are_not_worked_out_again() -> None:
    seen: list[str] = []

    @remembered(2, longest=3)
    def shout(text: str) -> str:
        seen.append(text)
        return text.upper()

    assert [shout(text) for text in ("abc", "abc", "abcd", "abcd")] == ["ABC", "ABC", "ABCD", "ABCD"]
    assert seen == ["abc", "abcd", "abcd"]


def test_the_texts_that_came_last_are_kept() -> None:
    seen: list[bytes] = []

    @remembered(2, longest=3)
    def count(text: bytes) -> int:
        seen.append(text)
        return len(text)

    assert [count(text) for text in (b"a", b"b", b"a", b"c", b"a", b"b")] == [1] * 6
    assert seen == [b"a", b"b", b"c", b"b"]
