from pathlib import Path

from crm_framework.server.shared_counts import Numbers, SharedNumbers


def count(numbers: Numbers, *name: str, times: int = 1) -> None:
    place = numbers.place(name)
    numbers.values[place] += times


def test_one_alone_tells_its_own() -> None:
    numbers = Numbers()
    count(numbers, "a", "x", times=2)
    numbers.place(("b",))
    count(numbers, "a", "x")
    assert numbers.sums() == {("a", "x"): 3, ("b",): 0}


def test_any_of_several_tells_the_sums(tmp_path: Path) -> None:
    one, other = SharedNumbers(tmp_path, 0), SharedNumbers(tmp_path, 1)
    count(one, "a", times=2)
    count(one, "b")
    count(other, "b", times=3)
    assert one.sums() == other.sums() == {("a",): 2, ("b",): 4}


def test_who_comes_after_counts_on(tmp_path: Path) -> None:
    before = SharedNumbers(tmp_path, 0)
    count(before, "a", times=2)
    after = SharedNumbers(tmp_path, 0)
    count(after, "b")
    count(after, "a")
    assert after.sums() == {("a",): 3, ("b",): 1}
    assert SharedNumbers(tmp_path, 0).sums() == after.sums()


def test_a_name_that_was_not_written_to_its_end_is_none(tmp_path: Path) -> None:
    count(SharedNumbers(tmp_path, 0), "a")
    with (tmp_path / "0.names").open("ab") as names:
        names.write(b'["hal')
    other = SharedNumbers(tmp_path, 1)
    assert other.sums() == {("a",): 1}
    after = SharedNumbers(tmp_path, 0)
    count(after, "b")
    assert other.sums() == {("a",): 1, ("b",): 1}


def test_there_is_room_for_many(tmp_path: Path) -> None:
    numbers = SharedNumbers(tmp_path, 0)
    count(numbers, "first", times=7)
    for number in range(5_000):
        count(numbers, "many", str(number), times=number)
    found = numbers.sums()
    assert (len(found), found["first",], found["many", "4999"]) == (5_001, 7, 4_999)
    assert SharedNumbers(tmp_path, 0).sums() == found
