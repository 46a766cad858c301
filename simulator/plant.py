"""The simulated kudzu line: machines in a row, one fixed step at a time.

Pure: no clock, no I/O, no randomness but its seed. The same seed and inputs give the same trajectory bit for bit.
Nothing is scripted: yield, moisture and purity come out of the machines. What may turn, open or burn is decided
here only by power and hard-wired switches; the interlocks of the PLCs are not the plant's business.
"""

from __future__ import annotations

import math
from random import Random

from simulator import material as m
from simulator.actuation import INPUT_TAGS, Wanderings, fan_motor, heater_valve, power_switches, ramped_drives
from simulator.ledger import Books, Ledger
from simulator.lot import Lot, draw_lot, parcels
from simulator.machines.concentrator import Concentrator
from simulator.machines.dewatering import MilkTank, Peeler
from simulator.machines.drives import Actuator
from simulator.machines.dryer import FlashDryer
from simulator.machines.exhaust import Exhaust
from simulator.machines.feeder import CakeHopper
from simulator.machines.heater import Heater
from simulator.machines.hopper import Hopper
from simulator.machines.optics import Optics
from simulator.machines.packing import Packing
from simulator.machines.rasp import Rasp
from simulator.machines.sieves import Sieves
from simulator.machines.trommel import Trommel
from simulator.machines.valves import StickyValve
from simulator.material import Material
from simulator.parameters import Parameters, default_parameters
from simulator.psychrometrics import Isotherm, humidity_kg_kg
from simulator.sensors import Noise, Sensors
from simulator.sentinels import Sentinels
from simulator.taps import RATE_TAGS, TOTAL_TAGS, true_rates
from simulator.truth import describe
from simulator.wet_clocks import WetClocks

__all__ = ["INPUT_TAGS", "Plant"]
_WANDERS = 7


class Plant:
    """A kudzu starch line from the root hopper to the bags."""

    def __init__(self, seed: int = 0, *, lot: Lot | None = None, parameters: Parameters | None = None) -> None:
        """A cold, clean, empty line with ``hopper.start_kg`` of roots of one lot (drawn from the seed if not given)."""
        p = self.parameters = parameters or default_parameters()
        self.seed = seed
        self.inputs: dict[str, float] = dict.fromkeys(INPUT_TAGS, 0.0)
        self.time_s = 0.0
        self.has_mains = True
        """False = power dip: motors coast, the burner goes out, pumps and sprays stop; instruments run on batteries."""
        self.books = Books()
        self._lot_rng = Random(f"{seed}:lot")
        self._noise = Noise(f"{seed}:noise")
        self.hopper = Hopper(p.hopper, self.books)
        self.trommel = Trommel(p.trommel, self.books)
        self.rasp = Rasp(p.rasp, self.books)
        adhering = p.clocks.adhering_share
        self.sieves = Sieves(p.sieves, self.books, adhering)
        self.concentrator = Concentrator(p.concentrator, self.books, p.site.water_c, adhering)
        self.milk_tank = MilkTank(p.dewatering, self.books)
        self.peeler = Peeler(p.dewatering, self.books, adhering)
        self.clocks = WetClocks(p.clocks, self.books)
        self.isotherm = Isotherm(p.isotherm)
        self.cake_hopper = CakeHopper(p.feeder, self.books)
        self.exhaust = Exhaust(p.exhaust, self.books)
        self.heater = Heater(p.heater, p.site.ambient_c, self.books)
        self.dryer = FlashDryer(p.dryer, self.isotherm, p.site.ambient_c, self.books)
        self.packing = Packing(p.packing, self.isotherm, p.site.ambient_c, self.books)
        self.optics = Optics(p.optics, p.clocks)
        self.sentinels = Sentinels(seed, p.sentinels, p.packing.transport_s, p.packing.cooler_s)
        self._met: Lot | None = None
        self._power, self._drives, self._wander = power_switches(), ramped_drives(p), Wanderings(p)
        self.heater_valve, self.fan_motor = heater_valve(p.heater), fan_motor(p.exhaust)
        self.ambient_c, self.ambient_humidity_pct = p.site.ambient_c, p.site.ambient_humidity_pct
        self.slurry_c = p.site.water_c
        self.rinse_solids_pct = 0.0
        self.root_starch_pct = 0.0
        self.wash_m3_h = self.sieve_m3_h = 0.0
        self.trommel_rpm = self.rasp_rpm = self.fan_pct = 0.0
        self.ambient_humidity = 0.0
        self.lot = lot or self._draw()
        self.load(p.hopper.start_kg, self.lot)
        self.root_starch_pct = self.hopper.starch_pct_wb(0.0)
        self._amounts: list[float] = [0.0] * len(TOTAL_TAGS)
        self._drained_m3 = 0.0  # what the flume behind the wet end has passed
        rates = true_rates(self, 1.0)
        self.sensors = Sensors(f"{seed}:calibration", dict(zip(RATE_TAGS, rates, strict=True)))
        if self.sensors.tags != RATE_TAGS or self.sensors.total_tags != TOTAL_TAGS:
            raise ValueError("sensors.yaml does not list the tags the plant measures, in its order")

    def _draw(self) -> Lot:
        p = self.parameters
        name = p.default_species
        season = p.season[min(12, max(1, round(p.site.month))) - 1]
        return draw_lot(self._lot_rng, name, p.species[name], p.lot, season)

    def load(self, root_kg: float, lot: Lot | None = None) -> float:
        """Tip roots into the hopper; returns what fitted in [kg].

        Args:
            root_kg: gross mass on the truck, >= 0.
            lot: what the truck brought; a new lot of the default species if not given.
        Raises:
            ValueError: not a finite mass.
        """
        if not math.isfinite(root_kg) or root_kg < 0.0:
            raise ValueError(f"cannot tip {root_kg} kg of roots")
        accepted_kg = min(root_kg, max(0.0, self.parameters.hopper.capacity_kg - self.hopper.mass_kg))
        self.lot = lot or self._draw()
        self.hopper.tip(parcels(self._lot_rng, self.lot, accepted_kg, self.parameters.lot))
        return accepted_kg

    def step(self, dt_s: float) -> None:
        """Advance the plant by one fixed step of at most one second.

        Raises:
            ValueError: not in 0 < dt_s <= 1.
        """
        if not 0.0 < dt_s <= 1.0:
            raise ValueError(f"step of {dt_s} s is not in 0 < dt <= 1 s")
        noise = self._noise.take(_WANDERS + len(RATE_TAGS))
        on = {tag: switch.drive(self.inputs[tag]) and self.has_mains for tag, switch in self._power.items()}
        self._weather(noise, dt_s)
        heat_in = self.books.heat_in_kj
        amounts = self._amounts
        before_kj = heat_in["electricity"]
        roots = self._screening(on, noise, dt_s)
        screened_kj = heat_in["electricity"]
        cake = self._grinding(on, roots, noise, dt_s)
        ground_kj = heat_in["electricity"]
        fuel_kj = heat_in["fuel"]
        self._drying(on, cake, noise, dt_s)
        dried_kj = heat_in["electricity"] - ground_kj + heat_in["fuel"] - fuel_kj
        amounts[2] = (screened_kj - before_kj) / 3600.0
        amounts[6] = (ground_kj - screened_kj) / 3600.0
        amounts[10] = dried_kj / 3600.0
        drained_m3 = m.volume_m3(self.books.exits["wet_drain"])
        amounts[11] = drained_m3 - self._drained_m3
        self._drained_m3 = drained_m3
        amounts[12] = (heat_in["fuel"] - fuel_kj) / 3600.0
        self.sensors.step(true_rates(self, dt_s), amounts, noise[_WANDERS:], dt_s)
        self.time_s += dt_s

    def actuator(self, tag: str) -> Actuator | StickyValve:
        """The drive or valve behind an output. Raises KeyError for one of another kind, as the heater's valve."""
        return self._drives[tag]

    def _drive(self, tag: str, powered: bool, dt_s: float) -> float:
        """Move a drive; a motor without power runs down."""
        return self._drives[tag].drive(self.inputs[tag] if powered else 0.0, dt_s)

    def _weather(self, noise: list[float], dt_s: float) -> None:
        site = self.parameters.site
        self.ambient_c = site.ambient_c + self._wander.weather_c.step(dt_s, noise[0])
        humidity_pct = site.ambient_humidity_pct + self._wander.weather_rh.step(dt_s, noise[1])
        self.ambient_humidity_pct = min(98.0, max(5.0, humidity_pct))
        self.ambient_humidity = humidity_kg_kg(self.ambient_c, self.ambient_humidity_pct / 100.0)

    def _screening(self, on: dict[str, bool], noise: list[float], dt_s: float) -> Material:
        """Hopper and trommel; returns washed roots."""
        p = self.parameters
        powered = on["XS-101"]
        if self.hopper.mass_kg > 0.0:
            self.root_starch_pct = self.hopper.starch_pct_wb(self.root_starch_pct)
        speed_pct = self._drive("SC-101", powered, dt_s)
        roots = self.hopper.step(speed_pct, self._wander.lumps.step(dt_s, noise[2]), self.trommel.room_kg, dt_s)
        fed_kg = m.mass_kg(roots)
        pressure = 1.0 + self._wander.wash_pressure.step(dt_s, noise[3])
        nozzles = 1.0 - self.trommel.spray_blocked_share
        flow_m3_h = p.trommel.valve_full_m3_h * self._drive("FV-104", True, dt_s) / 100.0 * pressure * nozzles
        spray = on["XC-109"]
        self.trommel_rpm = self._drive("SC-103", powered, dt_s)
        washed = self.trommel.step(roots, self.trommel_rpm, flow_m3_h, p.site.water_c, spray, self.rasp.is_open, dt_s)
        self.wash_m3_h = flow_m3_h + (p.trommel.spray_m3_h if spray else 0.0)
        self._amounts[0] = fed_kg
        self._amounts[1] = self.wash_m3_h / 3600.0 * dt_s
        return washed

    def _grinding(self, on: dict[str, bool], roots: Material, noise: list[float], dt_s: float) -> Material:
        """Rasp to centrifuge; returns cake."""
        p = self.parameters
        powered = on["XS-201"]
        self.rasp_rpm = self._drive("SC-201", powered, dt_s)
        mash = self.rasp.step(roots, self.rasp_rpm, self.sieves.is_open, dt_s)
        pressure = 1.0 + self._wander.sieve_pressure.step(dt_s, noise[4])
        flow_m3_h = p.sieves.valve_full_m3_h * self._drive("FV-203", True, dt_s) / 100.0 * pressure
        raw_milk = self.sieves.step(mash, self.rasp.fines_um, flow_m3_h, p.site.water_c, powered, dt_s)
        sieves = self.sieves
        self.sentinels.look_at_milk(raw_milk, flow_m3_h, sieves.blinding, sieves.tear_share, dt_s)
        self.slurry_c = m.temperature_c(self.sieves.slurry, self.slurry_c)
        milk = self.concentrator.step(raw_milk, self._drive("FV-204", True, dt_s), powered, dt_s)
        pumped = self.milk_tank.step(milk, self._drive("SC-206", powered, dt_s), dt_s)
        cake, back = self.peeler.step(pumped, powered, self.cake_hopper.room_kg, noise[5], dt_s)
        m.pour(self.milk_tank.milk, back)
        self.sieve_m3_h = flow_m3_h + (p.site.rinse_m3_h if on["XC-209"] else 0.0)
        self._rinse(on["XC-209"], dt_s)
        if self.clocks.is_due(dt_s):
            peeler = self.peeler
            tanks = (
                sieves.sump,
                sieves.slurry,
                self.concentrator.tank,
                self.milk_tank.milk,
                peeler.head,
                peeler.basket,
            )
            self.clocks.elapse(tanks, self.cake_hopper.cake, self.ambient_c)
        self._amounts[3] = self.sieve_m3_h / 3600.0 * dt_s
        self._amounts[4] = self.sieves.pulp_kg
        self._amounts[5] = m.mass_kg(cake)
        return cake

    def _rinse(self, is_on: bool, dt_s: float) -> None:
        """Sprays flush the wet machines to the drain."""
        if not is_on:
            self.rinse_solids_pct = 0.0
            return
        site = self.parameters.site
        self.clocks.rinse(dt_s)
        share = 1.0 - math.exp(-dt_s / site.rinse_flush_s)
        drained = self.books.receive(m.water(site.rinse_m3_h / 3.6 * dt_s, site.water_c))
        for flushed in (
            m.draw(self.rasp.box, share),
            self.sieves.flush(share, dt_s),
            self.concentrator.flush(share),
            m.draw(self.milk_tank.milk, share),
            self.peeler.flush(share),
        ):
            m.pour(drained, flushed)
        self.books.release("rinse_drain", drained)
        self.rinse_solids_pct = 100.0 * m.dry_kg(drained) / m.mass_kg(drained)

    def _drying(self, on: dict[str, bool], cake: Material, noise: list[float], dt_s: float) -> None:
        """Cake hopper to bags."""
        powered = on["XS-301"]
        heater, dryer, packing = self.heater, self.dryer, self.packing
        # the fan has a contactor of its own: it cools the duct after the station has stopped
        self.fan_pct = self.fan_motor.drive(self.inputs["SC-307"], self.has_mains, dt_s)
        air_kg_s = self.exhaust.step(self.fan_pct, powered, dryer.dust_kg, dryer.outlet_c, dryer.outlet_humidity, dt_s)
        valve_pct = self.heater_valve.drive(self.inputs["TV-303"] if powered else 0.0, dt_s)
        heater.step(air_kg_s, valve_pct, powered, self.ambient_c, self.ambient_humidity, dt_s)
        filling = self._wander.filling.step(dt_s, noise[6])
        screw_pct = self._drive("SC-302", powered, dt_s)
        fed = self.cake_hopper.step(cake, screw_pct, filling, air_kg_s, dt_s)
        powder = dryer.step(
            fed, air_kg_s, heater.inlet_c, self.ambient_humidity, self.ambient_c, dt_s, packing.spill_share
        )
        packing.step(powder, self.inputs["XV-312"], powered, dryer.outlet_c, self.ambient_c, dt_s)
        self.sentinels.look_at_powder(powered, m.mass_kg(packing.window), dt_s)
        packing.change_bag(self.inputs["XC-321"] > 0.5, self.ambient_c)
        self._look(packing.window, on["XC-209"], dt_s)
        self._amounts[7:10] = packing.bin_kg

    def _look(self, window: Material, rinsing: bool, dt_s: float) -> None:
        """What NIR and camera see of the powder in their window."""
        lot = self.lot
        if lot is not self._met:  # its colour is the lot's own, whenever and wherever it is drawn
            self._met = lot
            self.optics.meet_lot(Random(f"{self.seed}:{lot.starch_pct_wb!r}:colour").gauss(0.0, 1.0))
        self.optics.step(window, rinsing, dt_s)

    @property
    def nir_pct(self) -> float:
        """Moisture as the optics of the NIR see it [% wb]; NaN once no powder has passed for two seconds."""
        return self.optics.nir_pct

    def measure(self) -> dict[str, float]:
        """What the instruments show now, by tag; NaN where one sees nothing. Looking changes nothing."""
        values = self.sensors.shown()
        values["ZT-312"] = float(self.packing.gate.position)
        values.update(self.sentinels.shown())
        values["NQ-321"] = float(self.packing.bagging.closed)
        values["WT-321"] = math.floor(self.packing.bagging.open_kg * 100.0) / 100.0  # a checked scale, in 10 g
        return values

    def truth(self) -> dict[str, float]:
        """Inner state for tests and validation; a controller never sees it."""
        return describe(self)

    def held(self) -> dict[str, Material]:
        """Hold-up by machine."""
        return {
            "hopper": self.hopper.held(),
            "trommel": self.trommel.held(),
            "rasp": self.rasp.held(),
            "sieves": self.sieves.held(),
            "concentrator": self.concentrator.held(),
            "milk_tank": list(self.milk_tank.milk),
            "peeler": self.peeler.held(),
            "cake_hopper": self.cake_hopper.held(),
            "packing": self.packing.held(),
        }

    def _all_held(self) -> Material:
        total = m.empty()
        for holdup in self.held().values():
            m.pour(total, holdup)
        return total

    @property
    def time_ledgers(self) -> dict[str, Ledger]:
        """Wet age [kg h], germs [1e9 CFU] and browning: what came in and time made = what left and is held."""
        return self.books.time_balance(self._all_held())

    @property
    def ledgers(self) -> dict[str, Ledger]:
        """The balances of starch, fibre, water, soil, solubles [kg] and energy [kJ] since the plant was built."""
        return self.books.balance(self._all_held(), self.heater.metal_held_kj + self.dryer.metal_held_kj)
