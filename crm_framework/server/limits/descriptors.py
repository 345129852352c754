"""How many files and connections the operating system lets this process have open."""

import logging

from crm_framework.errors import CrmError, ErrorCode

log = logging.getLogger("crm_framework.server")

RESERVED = 128
"""What the process needs besides connections of clients: databases, logs, listeners."""


def provide_for(connections: int) -> None:
    """Raises the process's limit so that so many connections fit beside everything else.

    Raises `CrmError` CONFIGURATION where the system does not allow that many: a server that has run out of
    descriptors can accept nothing, not even the question whether it is well.
    """
    try:
        import resource
    except ImportError:
        return  # Windows has no such limit
    wanted = connections + RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"max_connections is {connections}, but this process may have {hard} files open at most.",
            hint=f"Lower it to {max(1, hard - RESERVED)}, or raise that limit (ulimit -n, LimitNOFILE).",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
