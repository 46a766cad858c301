"""Troubles of the dry machines, from the feed screw to the bags."""

from __future__ import annotations

from simulator.faults.arguments import Number
from simulator.faults.kind import Kind
from simulator.faults.scene import Scene, Undo


def blocked_feed(scene: Scene, _argument: None) -> Undo:
    """A lump jams the feed screw in front of the dryer: its drive turns up, nothing falls.

    Hopper weight climbs, the wet feed reads 0, outlet air and product get hot, and soon the NIR meter sees no powder.
    """
    return scene.lay(scene.site.machines.cake_hopper, "is_blocked", True)


def cake_arching(scene: Scene, share: float) -> Undo:
    """Cake arches over the inlet of the feed screw, and its flights run partly empty.

    Less is fed at the same speed: outlet air warmer, powder too dry, and the moisture loop turns the heat down.
    """
    return scene.lay(scene.site.machines.cake_hopper, "filling_share", share)


def burner_trip(scene: Scene, _argument: None) -> Undo:
    """The burner loses its flame and locks out: a red lamp on its box, and the inlet air cools as slowly as its metal.

    The heater valve opens in vain, powder gets wetter from minute to minute, the gate should turn. When it is reset it
    purges first and then lights again.
    """
    return scene.lay(scene.site.machines.heater, "is_flame_out", True)


def poor_fuel(scene: Scene, share: float) -> Undo:
    """The gas is poor, or wood was wet: every position of the heater valve gives less heat.

    The moisture loop opens the valve further and holds, until it stands at its end and the powder gets wet.
    """
    return scene.lay(scene.site.machines.heater, "heating_value", share)


def belt_slip(scene: Scene, share: float) -> Undo:
    """The fan's belt slips, and squeals while it does.

    Air flow, suction and filter drop fall at the same fan speed; the inlet air gets hotter from the same fire.
    """
    return scene.lay(scene.site.machines.exhaust, "belt_slip", share)


def filter_tear(scene: Scene, share: float) -> Undo:
    """A filter bag has a hole: white dust on the roof.

    The pressure drop over the filter falls, dust behind it rises at once, and good powder leaves with the air.
    """
    return scene.lay(scene.site.machines.exhaust, "filter_tear", share)


def filter_blinding(scene: Scene, times: float) -> Undo:
    """Filter cloth got wet or greasy and does not come clean any more.

    The pressure drop over it rises, the air flow falls, and the dryer carries less.
    """
    return scene.lay(scene.site.machines.exhaust, "filter_blinding", times)


def pulse_air_lost(scene: Scene, _argument: None) -> Undo:
    """The compressor is off: nothing knocks the dust from the filter bags, and their ticking has stopped.

    Pressure drop climbs with every hour of powder, slowly enough to be taken for nothing.
    """
    return scene.lay(scene.site.machines.exhaust, "pulse_air", False)


def air_lock_blocked(scene: Scene, _argument: None) -> Undo:
    """The air lock under the cyclone is blocked: no powder comes.

    The NIR meter goes blind. After minutes the cyclone is full and spills into the filter, whose pressure drop climbs
    until the air chokes.
    """
    return scene.lay(scene.site.machines.packing, "is_air_lock_blocked", True)


def cooler_warm(scene: Scene, effect: float) -> Undo:
    """The powder cooler gives little or no cooling: bags are filled warm.

    Their water activity is higher, and in the night they sweat inside.
    """
    return scene.lay(scene.site.machines.packing, "cooler_effect", effect)


def sifter_tear(scene: Scene, _argument: None) -> Undo:
    """The last sifter's mesh is torn: nothing is held back any more.

    Tailings fall to zero, which looks like good news, and lumps reach the bags.
    """
    return scene.lay(scene.site.machines.packing, "is_sifter_torn", True)


def gate_stuck(scene: Scene, _argument: None) -> Undo:
    """The divert gate is jammed with powder: it does not turn, and its position switch shows where it really stands.

    When moisture leaves its limits the controller commands rework and the powder goes on into the good bags; command
    and position differ.
    """
    return scene.lay(scene.site.machines.packing.gate, "is_stuck", True)


def dirty_window(scene: Scene, times: float) -> Undo:
    """A leaking seal blows dust on the window of the NIR meter, so that it drifts many times faster than usual.

    The moisture loop follows the wrong value, laboratory and meter part. Wiping the window, or a rinse, puts it right
    for a while.
    """
    return scene.lay(scene.site.machines.optics, "fouling_times", times)


def metal_shower(scene: Scene, _argument: None) -> Undo:
    """A beater of the powder sifter breaks and sheds bits of steel into the powder, with a ticking noise.

    The metal detector jumps within half a minute; what fell in between is on its way to the bags.
    """
    return scene.lay(scene.site.machines.sentinels, "is_shedding", True)


def sparks(scene: Scene, _argument: None) -> Undo:
    """A nest of powder glows in the duct and throws sparks towards the filter.

    Nothing is to be smelled yet. The spark detector counts; only stopping heat and feed keeps it from a fire.
    """
    return scene.lay(scene.site.machines.sentinels, "is_sparking", True)


def _share(default: float, low: float = 0.0, most: float = 1.0) -> Number:
    return Number("SHARE", "", default, low, most)


KINDS = (
    Kind("blocked-feed", blocked_feed, "blocked-feed:cake_hopper@1500+300", ("cake_hopper",)),
    Kind("cake-arching", cake_arching, "cake-arching:cake_hopper:0.7@1500+600", ("cake_hopper",), _share(0.7)),
    Kind("burner-trip", burner_trip, "burner-trip:heater@1500+120", ("heater",)),
    Kind("poor-fuel", poor_fuel, "poor-fuel:heater:0.8@1500", ("heater",), _share(0.8, 0.1)),
    Kind("belt-slip", belt_slip, "belt-slip:exhaust:0.2@1500", ("exhaust",), _share(0.2, most=0.95)),
    Kind("filter-tear", filter_tear, "filter-tear:exhaust:0.05@1500", ("exhaust",), _share(0.05)),
    Kind(
        "filter-blinding",
        filter_blinding,
        "filter-blinding:exhaust:2@1500",
        ("exhaust",),
        Number("TIMES", "times the usual resistance", 2.0, 1.0, 10.0),
    ),
    Kind("pulse-air-lost", pulse_air_lost, "pulse-air-lost:exhaust@1500", ("exhaust",)),
    Kind("air-lock-blocked", air_lock_blocked, "air-lock-blocked:packing@1500+300", ("packing",)),
    Kind("cooler-warm", cooler_warm, "cooler-warm:packing:0.3@1500", ("packing",), Number("EFFECT", "", 0.3, 0.0, 1.0)),
    Kind("sifter-tear", sifter_tear, "sifter-tear:packing@1500", ("packing",)),
    Kind("metal-shower", metal_shower, "metal-shower:packing@1500+20", ("packing",)),
    Kind("sparks", sparks, "sparks:dryer@1500+30", ("dryer",)),
    Kind("gate-stuck", gate_stuck, "gate-stuck:packing@1500+300", ("packing",)),
    Kind(
        "dirty-window",
        dirty_window,
        "dirty-window:optics:20@1500",
        ("optics",),
        Number("TIMES", "times the usual dust", 20.0, 1.0, 1000.0),
    ),
)
