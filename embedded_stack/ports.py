"""Whether the ports that the stack needs are free, told before anything starts."""

import contextlib
import socket
from collections.abc import Sequence

import psutil

from embedded_stack.components import Component
from embedded_stack.errors import PortTaken


def check_ports(host: str, components: Sequence[Component]) -> None:
    """Nothing, where every port is free.

    Raises:
        PortTaken: naming each port that is not, who holds it, and the setting that chooses another.
    """
    wanted = [(component, component.port) for component in components if component.port]
    taken = []
    for number, (component, port) in enumerate(wanted):
        twin = next((other for other, its in wanted[:number] if its == port), None)
        if twin:
            taken.append(f"port {port} is meant for both {twin.title} and {component.title}")
        elif not is_free(host, port):
            taken.append(f"port {port}, which {component.title} needs, is in use{_holder(port)}")
        else:
            continue
        another = _free_port(host, avoid=[its for _, its in wanted])
        taken[-1] += f": choose another with {component.setting}={another}"
    if taken:
        raise PortTaken("; ".join(taken) + " (in the environment or in airflow_configs.env). Nothing was started.")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: past connections don't count
        try:
            server.bind((host, port))
            server.listen(1)
        except OSError:
            return False
    return True


def _free_port(host: str, avoid: Sequence[int | None]) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family) as server:
            server.bind((host, 0))
            port: int = server.getsockname()[1]
        if port not in avoid:
            return port


def _holder(port: int) -> str:
    """Who listens there, where the system tells us."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            address = connection.laddr
            listens = connection.status == psutil.CONN_LISTEN and address
            if listens and getattr(address, "port", None) == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""
