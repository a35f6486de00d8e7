/* Must be the VERSION of library.py: changed with every function that is called from there. */
int fleetflow_native_version(void) { return 2; }
