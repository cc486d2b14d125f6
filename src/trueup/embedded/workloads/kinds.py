"""The resources that controllers speak of, by the names under which they are stored."""

from __future__ import annotations

from trueup.embedded.storage.keys import Resource

CONFIG_MAPS = Resource("", "configmaps")
ENDPOINTS = Resource("", "endpoints")
EVENTS = Resource("", "events")
NAMESPACES = Resource("", "namespaces")
NODES = Resource("", "nodes")
PERSISTENT_VOLUME_CLAIMS = Resource("", "persistentvolumeclaims")
PERSISTENT_VOLUMES = Resource("", "persistentvolumes")
PODS = Resource("", "pods")
REPLICATION_CONTROLLERS = Resource("", "replicationcontrollers")
SECRETS = Resource("", "secrets")
SERVICE_ACCOUNTS = Resource("", "serviceaccounts")
SERVICES = Resource("", "services")
CUSTOM_RESOURCE_DEFINITIONS = Resource("apiextensions.k8s.io", "customresourcedefinitions")
CONTROLLER_REVISIONS = Resource("apps", "controllerrevisions")
DAEMON_SETS = Resource("apps", "daemonsets")
DEPLOYMENTS = Resource("apps", "deployments")
REPLICA_SETS = Resource("apps", "replicasets")
STATEFUL_SETS = Resource("apps", "statefulsets")
HORIZONTAL_POD_AUTOSCALERS = Resource("autoscaling", "horizontalpodautoscalers")
CRON_JOBS = Resource("batch", "cronjobs")
JOBS = Resource("batch", "jobs")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "endpointslices")
INGRESSES = Resource("networking.k8s.io", "ingresses")
POD_DISRUPTION_BUDGETS = Resource("policy", "poddisruptionbudgets")
STORAGE_CLASSES = Resource("storage.k8s.io", "storageclasses")
