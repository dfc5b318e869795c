"""What models and servers do wrong, class by class (F1 to F62), as the wire shows it; and by what chance it happens."""

from lao.servers.simulated.faults.catalogue import CLASSES
from lao.servers.simulated.faults.roll import Faults, Strike

__all__ = ["CLASSES", "Faults", "Strike"]
