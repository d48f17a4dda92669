from .attribute_signals import *
from .clocks import *
from .dynamics import *
from .engines.ensembles import *
from .events import *
from .leaders import *
from .leading import *
from .means import *
from .mixture import *
from .moment import *
from .observables import *
from .outcome import *
from .problem import *
from .programs import *
from .recording import *
from .rules import *
from .signals import *
from .solution import *
from .solving import *
from .training import *
from .updates import *

__version__: str
