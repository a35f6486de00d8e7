"""The rule of codes as a slow and obvious program: one ping after the other."""


class Reference:
    """Feed it pings (vin, codes, time, sequence); read `appeared` and `repeated`."""

    def __init__(self, count=3, window_s=86_400.0):
        self.count, self.window_s = count, window_s
        self.latest, self.codes, self.times = {}, {}, {}
        self.appeared, self.repeated = [], []

    def ping(self, vin, codes, time, sequence):
        if vin not in self.latest and not codes:
            return
        if vin in self.latest and (time, sequence) <= self.latest[vin]:
            return
        for code in dict.fromkeys(codes):
            if code not in self.codes.get(vin, ()):
                self.appeared.append((vin, code, time))
                times = [at for at in self.times.get((vin, code), []) if at > time - self.window_s]
                times.append(time)
                if len(times) >= self.count:
                    self.repeated.append((vin, code, tuple(times)))
                    times = []
                self.times[vin, code] = times
        self.latest[vin], self.codes[vin] = (time, sequence), codes
