"""What can keep the stack from running. Messages name the thing and the next step."""


class StackError(Exception):
    """Base: the stack can't do what was asked of it."""


class PortTaken(StackError):
    """A port that a component needs is held by somebody else."""


class ComponentFailed(StackError):
    """A component ended or did not become healthy."""


class StackBusy(StackError):
    """Another command is starting or stopping this home's stack."""


class StackGone(StackError):
    """The stack was stopped while it was being followed."""


class PlaylistMissing(StackError):
    """A folder that was named as a playlist does not exist."""
