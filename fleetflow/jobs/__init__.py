"""Jobs: flows that run under a name, outlive the shell, and can be stopped, moved and changed.

- `model`: a job's folder and files, and what is true of it
- `supervisor`: the process that keeps a job's processes running as one unit
- `control`: what the commands do: submit, suspend, resume, cancel, savepoints
- `package`: plugins, lock and configuration in one file, installed beside the host's fleetflow
- `upgrade`: another version from the same positions, and back
"""
