"""Kubernetes' protobuf: request bodies of typed Go clients, read with descriptors that `tools.protodata` makes."""
