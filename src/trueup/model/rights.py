"""Who decides who may do what. A setting of the server, of which installing has to know."""

from enum import StrEnum


class Rights(StrEnum):
    """`policy`: policies in Argo CD's words. `kubernetes`: Kubernetes' RBAC, and each call is made as the person who asks."""

    POLICY = "policy"
    KUBERNETES = "kubernetes"
