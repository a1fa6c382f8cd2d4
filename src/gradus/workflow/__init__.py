"""Workflow: each step of the flow as one function of the settings, for commands, notebooks and jobs."""
