from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from samplerbench.methods import Between, Plugin, Registry, SpecError, nearest, split_specs
from samplerbench.methods.core.method import Method

TOYS = Registry("toy", Plugin)


@TOYS.register("robot")
@dataclass(frozen=True)
class Robot(Plugin):
    """An option of each type."""

    speed: Annotated[float, Between(0, 1)] = 0.5
    arms: Annotated[int, Between(1, 4)] = 2
    mood: Literal["happy", "sad"] = "happy"
    loud: bool = False
    weight: Annotated[float | None, Between(0, 10)] = None


@TOYS.register("ball")
@dataclass(frozen=True)
class Ball(Plugin):
    """An option that is always printed."""

    size: float = field(default=1.0, metadata={"printed": True})


@TOYS.register("box")
@dataclass(frozen=True)
class Box(Plugin):
    """Something after a colon."""

    content: str = field(metadata={"argument": "THING"})
    size: int = 1


@pytest.mark.parametrize(
    "spec",
    [
        "box:C:/a [b]",
        "box[size=2]:hat",
        "robot",
        "robot[speed=0.25]",
        "robot[arms=3,mood=sad,loud=true,weight=2.5]",
        "ball[size=1.0]",
    ],
)
def test_a_spec_prints_as_it_parses(spec):
    assert str(TOYS.get(spec)) == spec


def test_defaults_are_not_printed_unless_marked_and_spaces_do_not_matter():
    assert str(TOYS.get(" robot[ speed = 0.50 , loud = true ] ")) == "robot[loud=true]"
    assert str(TOYS.get("robot[weight=none]")) == "robot"
    assert str(TOYS.get("ball")) == "ball[size=1.0]"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("robt", "No toy is named 'robt'. Did you mean 'robot'?"),
        ("xyz", "No toy is named 'xyz'. Choose from: ball, box, robot."),
        ("box", "box needs THING: write box:THING."),
        ("box[size=2]:", "box needs THING: write box:THING."),
        ("box[content=hat]:hat", "box has no option 'content'. Choose from: size."),
        ("ball:hat", "ball takes nothing after a colon, as in 'ball:hat': leave it out."),
        ("robot[arm=1]", "robot has no option 'arm'. Did you mean 'arms'?"),
        ("robot[speed=2]", "robot: speed must lie between 0 and 1, not 2.0."),
        ("robot[speed=nan]", "speed must lie between 0 and 1"),
        ("robot[weight=11]", "weight must lie between 0 and 10"),
        ("robot[speed=x]", "robot: speed must be a number, not 'x'."),
        ("robot[arms=1.5]", "robot: arms must be a whole number, not '1.5'."),
        ("robot[speed=0,speed=1]", "the option 'speed' is given twice"),
        ("robot[loud=yes]", "robot: loud must be true or false, not 'yes'."),
        ("robot[loud]", "robot: write options as key=value, not 'loud'."),
        ("robot[", "'robot[' is not of the form name or name[key=value,key=value]."),
        ("robot[mood=sat]", "robot: mood cannot be 'sat'. Did you mean 'sad'?"),
        ("robot[mood=angry]", "Choose from: happy, sad."),
    ],
)
def test_an_invalid_spec_is_an_error_that_says_what_to_do(spec, message):
    with pytest.raises(SpecError) as caught:
        TOYS.get(spec)
    assert message in str(caught.value)


def test_names_that_are_complete_need_no_argument():
    assert TOYS.complete() == ["ball", "robot"]


def test_an_argument_with_a_default_may_be_left_out():
    @dataclass(frozen=True)
    class Bag(Plugin):
        """Something after a colon, or nothing."""

        content: str | None = field(default=None, metadata={"argument": "THING"})

    with TOYS.temporarily():
        TOYS.register("bag")(Bag)
        assert (TOYS.get("bag").content, TOYS.get("bag:hat").content) == (None, "hat")
        assert [str(TOYS.get(spec)) for spec in ("bag", "bag:hat")] == ["bag", "bag:hat"]
        assert TOYS.complete() == ["bag", "ball", "robot"]
        with pytest.raises(SpecError, match="bag needs THING: write bag:THING"):
            TOYS.get("bag:")


def test_options_are_checked_in_python_too():
    with pytest.raises(SpecError, match="arms must lie between 1 and 4, not 7"):
        Robot(arms=7)


def test_specs_are_split_at_commas_outside_brackets():
    assert split_specs("ddim[eta=0.5,clip=true], flow,") == ["ddim[eta=0.5,clip=true]", "flow"]


def test_nearest_suggests_the_closest_name_or_lists_all():
    assert nearest("flw", ["flow", "ddim"]) == "Did you mean 'flow'?"
    assert nearest("xyz", ["flow", "ddim"]) == "Choose from: flow, ddim."
    assert nearest("xyz", []) == "Choose from: none."


@dataclass(frozen=True)
class New(Plugin):
    """A class that may be registered."""


@dataclass
class Mutable(Plugin):
    """Not frozen."""


class Undecorated(Plugin):
    """Not a dataclass."""


@dataclass(frozen=True)
class Unfinished(Method):
    """Lacks `steps`."""


@pytest.mark.parametrize(
    ("name", "cls", "error", "message"),
    [
        ("robot", New, ValueError, "A toy named 'robot' is already registered"),
        ("Not a name", New, ValueError, "'Not a name' is not a valid toy name"),
        ("new", int, TypeError, "The toy 'new' must be a subclass of Plugin"),
        ("new", Mutable, TypeError, "must be a dataclass with frozen=True"),
        ("new", Undecorated, TypeError, "must be a dataclass with frozen=True"),
        ("new", Unfinished, TypeError, "The toy 'new' must define steps."),
    ],
)
def test_registration_checks_the_name_and_the_class(name, cls, error, message):
    with pytest.raises(error, match=message):
        TOYS.register(name)(cls)
    assert TOYS.names() == ["ball", "box", "robot"]


def test_registrations_can_be_undone():
    with TOYS.temporarily():
        TOYS.register("new")(New)
        assert TOYS.names() == ["ball", "box", "new", "robot"]
        assert TOYS.get("new").name == "new"
    assert TOYS.names() == ["ball", "box", "robot"]


def test_plugins_are_loaded_before_every_look_up():
    late = Registry("toy", Plugin, lambda: None if "late" in late._classes else late.register("late")(New))
    assert late.names() == ["late"]
    late = Registry("toy", Plugin, lambda: None if "late" in late._classes else late.register("late")(New))
    assert late.get("late") == New()


def test_a_plug_in_that_takes_our_name_before_ours_is_imported_is_left_out():
    def made(module):
        return dataclass(frozen=True)(type("Robot", (Plugin,), {"__module__": module}))

    registry = Registry("toy", Plugin)
    registry.register("robot")(made("someones.toys"))
    ours = made("samplerbench.toys")
    with pytest.warns(UserWarning, match="The toy 'robot' of someones.toys was left out: the name is taken"):
        registry.register("robot")(ours)
    assert registry.lookup("robot") is ours
    with pytest.raises(ValueError, match="already registered"):
        registry.register("robot")(made("someones.toys"))
