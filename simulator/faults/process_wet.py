"""Troubles of the wet machines, from the root hopper to the centrifuge."""

from __future__ import annotations

from simulator import material as m
from simulator.faults.arguments import Number
from simulator.faults.kind import Kind
from simulator.faults.scene import Scene, Undo
from simulator.machines.drives import Actuator
from simulator.machines.valves import StickyValve
from simulator.material import Material


def bridged(scene: Scene, _argument: None) -> Undo:
    """Roots wedge above the feeder: the belt runs empty.

    The hopper scale stands still although the feeder turns, the feed rate falls to nothing, and downstream everything
    thins out minutes later. A knock with a bar brings it down.
    """
    return scene.lay(scene.site.machines.hopper, "is_bridged", True)


def wet_lot(scene: Scene, added_pct: float) -> Undo:
    """The truck stood in the rain: water clings to the roots in the hopper and is weighed with them.

    The hopper scale shows more than the delivery note, starch per kilogram is lower, the milk thinner. The yield per
    kilogram of roots falls, and nothing on the line is wrong.
    """
    plant = scene.site.machines
    plant.hopper.soak(lambda root_kg: m.water(root_kg * added_pct / 100.0, plant.ambient_c))
    return None


def sandy_lot(scene: Scene, added_pct: float) -> Undo:
    """The roots were dug in mud: soil and sand stick to those in the hopper.

    Soil behind the drum rises, wash water runs brown, grit shows as dark specks in the powder. Blades blunt within a
    shift: the rasp draws more power for a coarser mash.
    """
    plant = scene.site.machines
    temp_c, germs_log_g = plant.lot.temp_c, plant.lot.germs_log_g

    def soil(root_kg: float) -> Material:
        added = m.empty()
        added[m.SOIL] = root_kg * added_pct / 100.0
        added[m.HEAT] = m.heat_capacity_kj_k(added) * temp_c
        added[m.GERMS] = added[m.SOIL] * 10.0 ** (germs_log_g - 6.0)
        return added

    plant.hopper.soak(soil)
    return None


def spray_blocked(scene: Scene, share: float) -> Undo:
    """Spray nozzles of the drum are full of sand: less wash water flows at the same valve.

    Even when the valve makes up the flow, roots that only meet blocked nozzles stay dirty: soil behind the drum rises.
    """
    return scene.lay(scene.site.machines.trommel, "spray_blocked_share", share)


def blade_break(scene: Scene, _argument: None) -> Undo:
    """A rasp blade snaps, with a bang if somebody stands beside it. The drum hums out of balance.

    Slices come through whole: coarser mash, more starch in the pulp, thinner milk. An empty drum draws more power than
    it used to, a loaded one rather less, because less is cut.
    """
    return scene.lay(scene.site.machines.rasp, "has_broken_blade", True)


def stone(scene: Scene, _argument: None) -> Undo:
    """A stone passes the drum: a crack, and rasp power leaps for some seconds.

    It is over before anybody is there. The teeth are blunter from then on, as after hours of work.
    """
    scene.site.machines.rasp.has_stone = True
    return None


def screen_tear(scene: Scene, share: float) -> Undo:
    """A sieve screen tears: coarse fibre passes into the milk.

    Less pulp comes out, specks show in the cake, the powder turns greyer. The yield by mass even rises, which is why
    nobody complains before the customer does.
    """
    return scene.lay(scene.site.machines.sieves, "tear_share", share)


def blinding(scene: Scene, share: float) -> Undo:
    """The sieves blind: slime and fine fibre close their openings.

    Pulp comes off wet and white with lost starch, sieves fill and spill over. A rinse opens them again; running on
    makes it worse.
    """
    sieves = scene.site.machines.sieves
    sieves.blinding = [max(share, present) for present in sieves.blinding]
    return None


def cyclone_plugged(scene: Scene, share: float) -> Undo:
    """Tips of the concentrator's small cyclones are plugged; what they are fed leaves over the top.

    The overflow runs white, less milk comes, and its density is still right.
    """
    return scene.lay(scene.site.machines.concentrator, "blocked_share", share)


def pump_worn(scene: Scene, share: float) -> Undo:
    """The concentrator's feed pump is worn: less pressure is left for the cyclones.

    Their cut grows coarser. The overflow turns milky, the milk thinner; opening or closing valves does not cure it.
    """
    return scene.lay(scene.site.machines.concentrator, "pressure_share", share)


def desander_full(scene: Scene, _argument: None) -> Undo:
    """Nobody emptied the grit pot under the desander: silt goes on with the starch.

    Dark specks in the powder, grit between the teeth. No reading of the line tells it before the camera at its end.
    """
    return scene.lay(scene.site.machines.concentrator, "desander_is_full", True)


def tank_leak(scene: Scene, flow_m3_h: float) -> Undo:
    """The bottom valve of the milk tank does not close; there is a white puddle below it.

    The level sinks, less goes to the centrifuge and less cake comes, and no flow explains it.
    """
    return scene.lay(scene.site.machines.milk_tank, "leak_m3_h", flow_m3_h)


def cloth_tear(scene: Scene, share: float) -> Undo:
    """The centrifuge's cloth has a hole: milk goes straight to the drain.

    The drain runs white, and less cake comes from the same milk. Its moisture looks as ever.
    """
    return scene.lay(scene.site.machines.peeler, "cloth_tear_share", share)


def cloth_glazed(scene: Scene, wetter_pct: float) -> Undo:
    """The centrifuge's cloth is glazed with protein; a rinse does not open it.

    Every cake comes off wetter. The dryer has more water to take, the outlet air cools and the powder follows.
    """
    return scene.lay(scene.site.machines.peeler, "cloth_glazed_pct", wetter_pct)


def stuck_valve(scene: Scene, _argument: None) -> Undo:
    """A control valve jams where it stands: its command moves, its stem does not.

    The loop above winds its output to one end, and the flow (or the inlet air) stays as it was. A hammer blow at the
    yoke helps until the next time.
    """
    return scene.lay(_valve(scene), "is_stuck", True)


_VALVES = {"trommel": "FV-104", "sieves": "FV-203", "concentrator": "FV-204"}


def _valve(scene: Scene) -> Actuator | StickyValve:
    plant = scene.site.machines
    return plant.heater_valve if scene.place == "heater" else plant.actuator(_VALVES[scene.place])


def _share(default: float, most: float = 1.0) -> Number:
    return Number("SHARE", "", default, 0.0, most)


_PCT = "% of the root mass"
KINDS = (
    Kind("bridged", bridged, "bridged:hopper@900+300", ("hopper",)),
    Kind("wet-lot", wet_lot, "wet-lot:hopper:10", ("hopper",), Number("PCT", _PCT, 8.0, 0.1, 30.0), is_momentary=True),
    Kind(
        "sandy-lot",
        sandy_lot,
        "sandy-lot:hopper:6",
        ("hopper",),
        Number("PCT", _PCT, 6.0, 0.1, 30.0),
        is_momentary=True,
    ),
    Kind("spray-blocked", spray_blocked, "spray-blocked:trommel:0.4@900", ("trommel",), _share(0.4)),
    Kind("blade-break", blade_break, "blade-break:rasp@900", ("rasp",)),
    Kind("stone", stone, "stone:rasp@900", ("rasp",), is_momentary=True),
    Kind("screen-tear", screen_tear, "screen-tear:sieves:0.1@900", ("sieves",), _share(0.1)),
    Kind("blinding", blinding, "blinding:sieves:0.6@900", ("sieves",), _share(0.6, 0.95), is_momentary=True),
    Kind("cyclone-plugged", cyclone_plugged, "cyclone-plugged:concentrator:0.2@900", ("concentrator",), _share(0.2)),
    Kind("pump-worn", pump_worn, "pump-worn:concentrator:0.7@900", ("concentrator",), _share(0.7)),
    Kind("desander-full", desander_full, "desander-full:concentrator@900", ("concentrator",)),
    Kind(
        "tank-leak",
        tank_leak,
        "tank-leak:milk_tank:0.2@900+600",
        ("milk_tank",),
        Number("M3_H", "m3/h", 0.2, 0.0, 20.0),
    ),
    Kind("cloth-tear", cloth_tear, "cloth-tear:peeler:0.1@900", ("peeler",), _share(0.1)),
    Kind("cloth-glazed", cloth_glazed, "cloth-glazed:peeler:3@900", ("peeler",), Number("PCT", "% wb", 3.0, 0.0, 15.0)),
    Kind("stuck-valve", stuck_valve, "stuck-valve:sieves@900+300", (*_VALVES, "heater")),
)
