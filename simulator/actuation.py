"""What moves in the plant and what disturbs it: the outputs it takes, the drives behind them, and slow wanderings."""

from __future__ import annotations

from simulator.machines.drives import Actuator, Switch, Wander
from simulator.machines.exhaust import ExhaustParameters
from simulator.machines.heater import HeaterParameters
from simulator.machines.valves import CoastingMotor, StickyValve
from simulator.parameters import Parameters

INPUT_TAGS = (
    "XS-101",  # station powered 0/1: its motors may turn
    "SC-101",  # root feeder %
    "SC-103",  # trommel rpm
    "FV-104",  # wash water valve %
    "XC-109",  # cleaning spray 0/1
    "XS-201",
    "SC-201",  # rasp rpm
    "FV-203",  # sieve water valve %
    "FV-204",  # concentrator underflow valve %
    "SC-206",  # dewatering pump %
    "XC-209",  # rinse 0/1
    "XS-301",
    "SC-302",  # feed screw %
    "TV-303",  # heater %
    "SC-307",  # fan %
    "XV-312",  # divert gate 0 good, 1 rework, 2 waste
    "XC-321",  # change of bags, when it goes from 0 to 1
)


def power_switches() -> dict[str, Switch]:
    """Contactors and on/off valves, off."""
    return {tag: Switch() for tag in ("XS-101", "XS-201", "XS-301", "XC-109", "XC-209")}


def ramped_drives(p: Parameters) -> dict[str, Actuator | StickyValve]:
    """Drives and valves that ramp to what they are told, at rest."""

    def drive(full: float, rate_per_s: float) -> Actuator:
        return Actuator(0.0, full, rate_per_s, p.site.drive_deadband_pct / 100.0 * full)

    def valve(rate_per_s: float) -> StickyValve:
        return StickyValve(0.0, 100.0, rate_per_s, p.site.valve_stick_pct, p.site.valve_stick_pct * p.site.valve_slide)

    return {
        "SC-101": drive(100.0, p.hopper.feeder_ramp_pct_s),
        "SC-103": drive(30.0, p.trommel.ramp_rpm_s),
        "FV-104": valve(p.trommel.valve_ramp_pct_s),
        "SC-201": drive(2000.0, p.rasp.ramp_rpm_s),
        "FV-203": valve(p.sieves.valve_ramp_pct_s),
        "FV-204": valve(p.concentrator.valve_ramp_pct_s),
        "SC-206": drive(100.0, p.dewatering.pump_ramp_pct_s),
        "SC-302": drive(100.0, p.feeder.screw_ramp_pct_s),
    }


def heater_valve(p: HeaterParameters) -> StickyValve:
    """The fuel valve, closed."""
    return StickyValve(0.0, 100.0, p.valve_ramp_pct_s, p.valve_stick_pct, p.valve_slide_pct)


def fan_motor(p: ExhaustParameters) -> CoastingMotor:
    """The fan's motor, at rest."""
    return CoastingMotor(100.0, p.fan_ramp_pct_s, p.fan_coast_tau_s)


class Wanderings:
    """Slow disturbances, each a first-order autoregression fed with standard normal numbers by the plant."""

    def __init__(self, p: Parameters) -> None:
        site = p.site
        self.weather_c = Wander(site.ambient_sd_k, site.ambient_tau_s)
        self.weather_rh = Wander(site.humidity_sd_pct, site.ambient_tau_s)
        self.lumps = Wander(p.hopper.lump_sd, p.hopper.lump_tau_s)
        self.wash_pressure = Wander(p.trommel.pressure_sd, p.trommel.pressure_tau_s)
        self.sieve_pressure = Wander(p.sieves.pressure_sd, p.sieves.pressure_tau_s)
        self.filling = Wander(p.feeder.screw_fill_sd, p.feeder.screw_fill_tau_s)
