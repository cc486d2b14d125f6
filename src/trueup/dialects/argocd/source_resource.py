"""Argo CD's source and destination as structs: where manifests come from, by which tool, and where they go."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from trueup.dialects.schema import PRESERVE

Json = Annotated[Any, Meta(extra_json_schema=PRESERVE)]


class HelmParameter(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str = ""
    value: str = ""
    force_string: bool = False


class HelmFileParameter(Struct, frozen=True, kw_only=True):
    name: str = ""
    path: str = ""


class HelmOptions(Struct, frozen=True, kw_only=True, rename="camel"):
    value_files: tuple[str, ...] = ()
    parameters: tuple[HelmParameter, ...] = ()
    file_parameters: tuple[HelmFileParameter, ...] = ()
    values: str = ""
    values_object: Annotated[dict[str, Any], Meta(extra_json_schema=PRESERVE)] | None = None
    release_name: str = ""
    version: str = ""
    """Without effect, as in Argo CD: there is one version of Helm."""
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    pass_credentials: bool = False
    """Whether the credentials of the chart's repository go to other hosts too, where its index names some."""
    ignore_missing_value_files: bool = False
    skip_crds: bool = False
    skip_tests: bool = False
    """Without effect: a chart's tests have no place in a sync, and are always left out."""
    skip_schema_validation: bool = False


class KustomizeReplica(Struct, frozen=True, kw_only=True):
    name: str
    count: int | str


class KustomizeSelector(Struct, frozen=True, kw_only=True, rename="camel"):
    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    label_selector: str = ""
    annotation_selector: str = ""


class KustomizePatch(Struct, frozen=True, kw_only=True):
    path: str = ""
    patch: str = ""
    target: KustomizeSelector | None = None
    options: dict[str, bool] = {}


class KustomizeOptions(Struct, frozen=True, kw_only=True, rename="camel"):
    name_prefix: str = ""
    name_suffix: str = ""
    namespace: str = ""
    images: tuple[str, ...] = ()
    """`[old=]new[:tag][@digest]`."""
    replicas: tuple[KustomizeReplica, ...] = ()
    patches: tuple[KustomizePatch, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    common_annotations_envsubst: bool = False
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    """Whether `commonLabels` stay out of selectors."""
    label_include_templates: bool = False
    """With `labelWithoutSelector`: whether templates get the labels all the same."""
    version: str = ""
    """The version of Kustomize that is built in; another is refused."""
    kube_version: str = ""
    """Without effect, as is `apiVersions`: both are for charts that Kustomize inflates, which is refused."""
    api_versions: tuple[str, ...] = ()


class JsonnetVariable(Struct, frozen=True, kw_only=True):
    name: str
    value: str
    code: bool = False


class JsonnetOptions(Struct, frozen=True, kw_only=True, rename="camel"):
    ext_vars: tuple[JsonnetVariable, ...] = ()
    tlas: tuple[JsonnetVariable, ...] = ()
    libs: tuple[str, ...] = ()


class DirectoryOptions(Struct, frozen=True, kw_only=True, rename="camel"):
    recurse: bool = False
    """Whether directories below the path are read too."""
    include: str = ""
    """A glob, or several as `{a,b}`: only these files."""
    exclude: str = ""
    """A glob, or several as `{a,b}`: not these files."""
    disable_extension_filter: bool = False
    jsonnet: JsonnetOptions = JsonnetOptions()


class EnvironmentEntry(Struct, frozen=True, kw_only=True):
    name: str
    value: str


class PluginParameter(Struct, frozen=True, kw_only=True):
    name: str = ""
    string: str | None = None
    array: tuple[str, ...] | None = None
    map: dict[str, str] | None = None


class PluginOptions(Struct, frozen=True, kw_only=True):
    name: str = ""
    env: tuple[EnvironmentEntry, ...] = ()
    parameters: tuple[PluginParameter, ...] = ()


class Source(Struct, frozen=True, kw_only=True, rename="camel"):
    repo_url: str = field(name="repoURL")
    """The address of a Git repository, a Helm repository or an OCI registry."""
    path: str = ""
    """The directory inside the repository."""
    target_revision: str = ""
    """A branch, tag, commit or semver range; HEAD by default."""
    chart: str = ""
    ref: str = ""
    name: str = ""
    tag_prefix: str = ""
    """Only tags that begin so count for a range in `targetRevision`, by what follows."""
    helm: HelmOptions | None = None
    kustomize: KustomizeOptions | None = None
    """Overrides for a directory that Kustomize builds."""
    directory: DirectoryOptions | None = None
    """Reads the directory as plain manifests, whatever it holds."""
    plugin: PluginOptions | None = None


class Destination(Struct, frozen=True, kw_only=True):
    server: str = ""
    """The API server's address; `https://kubernetes.default.svc` is the cluster that Trueup runs in."""
    name: str = ""
    """The cluster's name, in place of `server`; `in-cluster` is the cluster that Trueup runs in."""
    namespace: str = ""
    """For namespaced objects that name none."""


class DrySource(Struct, frozen=True, kw_only=True, rename="camel"):
    repo_url: str = field(name="repoURL")
    target_revision: str
    path: str
    helm: HelmOptions | None = None
    kustomize: KustomizeOptions | None = None
    directory: DirectoryOptions | None = None
    plugin: PluginOptions | None = None


class SyncSource(Struct, frozen=True, kw_only=True, rename="camel"):
    target_branch: str
    path: str
    repo_url: str = field(default="", name="repoURL")


class HydrateTo(Struct, frozen=True, kw_only=True, rename="camel"):
    target_branch: str


class SourceHydrator(Struct, frozen=True, kw_only=True, rename="camel"):
    dry_source: DrySource
    sync_source: SyncSource
    hydrate_to: HydrateTo | None = None
