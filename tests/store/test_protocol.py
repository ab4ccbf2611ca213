"""How protocols differ, in words."""

from samplerbench.store.protocol import differences, ranges

FACTS = {"dataset": "digits", "data": "a1", "reference": "b2", "samples": 1000, "floor_images": 797, "seeds": [0, 1, 2]}


def test_what_differs_is_named_with_both_values():
    assert differences([FACTS, FACTS]) == []
    assert differences([FACTS, FACTS | {"seeds": [0, 2]}]) == ["seeds (0-2 and 0,2)"]
    assert differences([FACTS, FACTS | {"reference": "c3"}]) == ["hash of the reference (b2 and c3)"]
    assert differences([FACTS, FACTS | {"labels": "balanced"}]) == ["labels (not recorded and balanced)"]
    assert differences([FACTS, None, {}]) == ["quality (measured and not measured)"]
    assert differences([None, {}]) == []


def test_what_follows_from_another_difference_is_not_mentioned():
    other = FACTS | {"dataset": "mixture", "data": "d4", "reference": "e5"}
    assert differences([FACTS, other]) == ["dataset (digits and mixture)"]
    assert differences([FACTS, FACTS | {"samples": 500, "floor_images": 500}]) == ["samples (1000 and 500)"]


def test_seeds_are_written_as_ranges():
    assert [ranges(seeds) for seeds in ([0], [0, 1, 2, 7], [3, 5])] == ["0", "0-2,7", "3,5"]
