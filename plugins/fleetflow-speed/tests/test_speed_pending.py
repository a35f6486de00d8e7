"""Lists of fixes per vehicle in three arrays behave like lists of fixes per vehicle."""

import numpy as np
from fleetflow_speed.pending import Pending
from hypothesis import given, settings
from hypothesis import strategies as st

VEHICLES = 5
steps = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, VEHICLES - 1), st.integers(0, 40), min_size=1), st.integers(0, 100)
    ),
    max_size=15,
)


def contents(pending, vehicle):
    rows = pending.rows(np.array([vehicle]))
    return list(zip(pending.time[rows], pending.latitude[rows], pending.longitude[rows], strict=True))


@settings(max_examples=100, deadline=None)
@given(steps)
def test_any_appends_and_replacements_are_those_of_lists(steps):
    pending, lists, number = Pending(), {vehicle: [] for vehicle in range(VEHICLES)}, 0
    pending.fit(VEHICLES)
    for added, keep_percent in steps:
        vehicles = np.array(sorted(added))
        counts = np.array([added[vehicle] for vehicle in vehicles])
        fixes = np.arange(number, number + counts.sum())
        number += counts.sum()
        pending.append(vehicles, counts, fixes, fixes + 0.25, fixes + 0.5)
        for vehicle, part in zip(vehicles, np.split(fixes, np.cumsum(counts)[:-1]), strict=True):
            lists[vehicle] += [(fix, fix + 0.25, fix + 0.5) for fix in part]
            lists[vehicle] = lists[vehicle][: len(lists[vehicle]) * keep_percent // 100]
        kept = [fix for vehicle in vehicles for fix in lists[vehicle]]
        kinds = enumerate((np.int64, np.float64, np.float64))
        columns = (np.array([fix[i] for fix in kept], kind) for i, kind in kinds)
        pending.replace(vehicles, np.array([len(lists[vehicle]) for vehicle in vehicles]), *columns)
        assert {vehicle: contents(pending, vehicle) for vehicle in lists} == lists
