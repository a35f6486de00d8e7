"""Jobs: flows that run under a name, outlive the shell, and can be stopped, moved and changed.

- `model`: a job's folder and files, and what is true of it; `places`: where they are
- `supervisor`: the process that keeps a job's processes running as one unit
- `running`: starting and ending a supervisor; `surroundings`: what its processes see
- `control`: what the commands do: submit, suspend, resume, cancel; `exports`: savepoints
- `package`: plugins, lock and configuration in one file, installed beside the host's fleetflow
- `admission`: whether code may run from a state
- `upgrade`: another version from the same positions, and back; `guard`: whether it is as good
- `backfill`: the history under the present schema, beside the job
- `manifest`: units for platforms that supervise instead
"""
