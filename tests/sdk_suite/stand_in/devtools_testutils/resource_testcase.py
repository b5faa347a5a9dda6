"""Names that preparers share."""

from . import RESOURCE_GROUP

RESOURCE_GROUP_PARAM = RESOURCE_GROUP
