#ifndef FLEETFLOW_SOURCES
#define FLEETFLOW_SOURCES "unknown"
#endif

/* Which sources this was compiled from, as hatch_build.py tells. */
const char *fleetflow_native_sources(void) { return FLEETFLOW_SOURCES; }

/* Must be the VERSION of library.py: changed with every function that is called from there. */
int fleetflow_native_version(void) { return 4; }
