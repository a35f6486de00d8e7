"""The rule of the detector speed once more: slow, one ping after the other, in plain Python."""

import itertools
import math
from collections import defaultdict

RADIUS_M = 6_371_008.8


def metres(a, b):
    """The haversine formula as in the textbook, rounded to millimetres."""
    (lat_a, lon_a), (lat_b, lon_b) = a, b
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    h = (
        math.sin((phi_b - phi_a) / 2) ** 2
        + math.cos(phi_a) * math.cos(phi_b) * math.sin(math.radians(lon_b - lon_a) / 2) ** 2
    )
    return round(2 * RADIUS_M * math.asin(math.sqrt(min(1.0, h))) * 1000) / 1000


def window_speed(fixes, min_span_s):
    """km/h over fixes {time: position}; None when they tell too little."""
    times = sorted(fixes)
    if len(times) < 2 or times[-1] - times[0] < min_span_s:
        return None
    distance = sum(metres(fixes[a], fixes[b]) for a, b in itertools.pairwise(times))
    return distance / (times[-1] - times[0]) * 3.6


def reference(pings, settings):
    """The events of pings (vin, time, latitude, longitude) in order of arrival: (vin, time, kind)."""
    events = []
    by_vin = defaultdict(list)
    for vin, *rest in pings:
        by_vin[vin].append(rest)
    for vin, arrivals in by_vin.items():
        fixes, evaluated, newest, speeding = {}, None, None, False
        for time, latitude, longitude in arrivals:
            if evaluated is not None and time <= evaluated:
                continue
            fixes[time] = max(fixes.get(time, (-math.inf, -math.inf)), (latitude, longitude))
            newest = time if newest is None else max(newest, time)
            final = math.floor((newest - settings.lateness_s) / settings.slide_s) * settings.slide_s
            end = math.ceil(min(fixes) / settings.slide_s) * settings.slide_s
            if evaluated is not None:
                end = max(end, evaluated + settings.slide_s)
            while end <= final:
                last_slide = [t for t in fixes if end - settings.slide_s < t <= end]
                if last_slide:
                    within = {t: at for t, at in fixes.items() if end - settings.window_s < t <= end}
                    speed = window_speed(within, settings.min_span_s)
                    before = speeding
                    if speed is not None and speed > settings.limit_kmh:
                        speeding = True
                    elif speed is not None and speed <= settings.limit_kmh - settings.hysteresis_kmh:
                        speeding = False
                    if speeding != before:
                        events.append((vin, max(last_slide), "speeding" if speeding else "speeding_ended"))
                end += settings.slide_s
            evaluated = final if evaluated is None else max(evaluated, final)
    return events


def plausible(pings, kmh=300, confirm=3):
    """For pings (vin, time, latitude, longitude) in order of arrival: whether each is not a jump."""
    last, row, good = {}, {}, []

    def jump(a, b):
        distance = metres(a[1:], b[1:])
        return distance > 100 and distance * 3.6 > kmh * (b[0] - a[0])

    for vin, *fix in pings:
        if not all(map(math.isfinite, fix)) or (vin in last and fix[0] <= last[vin][0]):
            good.append(True)
        elif vin not in last or not jump(last[vin], fix):
            last[vin], row[vin] = fix, []
            good.append(True)
        else:
            if not row[vin] or fix[0] > row[vin][-1][0]:
                row[vin] = [fix] if row[vin] and jump(row[vin][-1], fix) else [*row[vin], fix]
            good.append(len(row[vin]) >= confirm)
            if good[-1]:
                last[vin], row[vin] = fix, []
    return good
