"""The rule of mileage as a slow and obvious program: one ping after the other, in plain Python."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

RADIUS_M = 6_371_008.8


def haversine_m(a, b):
    """Great-circle distance in metres between (latitude, longitude) in degrees."""
    lat1, lon1, lat2, lon2 = map(math.radians, (*a, *b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * RADIUS_M * math.asin(math.sqrt(min(1.0, h)))


class Reference:
    """Feed it pings (vin, latitude, longitude, time); read `metres[vin, day]` and `reached`."""

    def __init__(self, noise_m=15, max_kmh=200, time_zone="UTC", limit_m=math.inf):
        self.noise_m, self.max_ms, self.limit_m = noise_m, max_kmh / 3.6, limit_m
        self.zone = ZoneInfo(time_zone)
        self.vehicles, self.metres, self.reached = {}, {}, []

    def ping(self, vin, latitude, longitude, time):
        if not (abs(latitude) <= 90 and abs(longitude) <= 180 and time >= 0):
            return
        at, vehicle = (latitude, longitude), self.vehicles.get(vin)
        if vehicle is None:
            self.vehicles[vin] = {"at": at, "time": time, "counted": at}
            return
        if time <= vehicle["time"]:
            return
        if haversine_m(vehicle["at"], at) > self.max_ms * (time - vehicle["time"]):
            vehicle["counted"] = at
        elif (leg := haversine_m(vehicle["counted"], at)) >= self.noise_m:
            vehicle["counted"] = at
            self.drive(vin, time, leg)
        vehicle["at"], vehicle["time"] = at, time

    def drive(self, vin, time, leg):
        day = datetime.fromtimestamp(time, self.zone).date().isoformat()
        before = self.metres.get((vin, day), 0.0)
        self.metres[vin, day] = before + leg
        if before < self.limit_m <= before + leg:
            self.reached.append((vin, day, time))
