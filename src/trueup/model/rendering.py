"""What a dialect asks of a render: which path, by whose rules, with which overlays. Pure data; `render` carries it out."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from trueup.model.refs import ObjectRef

REFS = ".argocd-refs"
"""Where a part of several sources sees the others that it refers to, each below its name; never listed."""


REVISION_MARKS = {"": "\ue000revision\ue000", "_SHORT": "\ue000revision7\ue000", "_SHORT_8": "\ue000revision8\ue000"}
"""What stands in a spec's texts for the revision, until it is known: Argo CD's `ARGOCD_APP_REVISION` with these endings."""

CLUSTER_MARKS = {"KUBE_VERSION": "\ue000kube\ue000", "KUBE_API_VERSIONS": "\ue000apis\ue000"}
"""Likewise for the cluster, in what a plugin is told; by the variable's name."""


class RenderMode(StrEnum):
    """Whose rule says which files of the path are taken when the path holds no kustomization file."""

    FLUX = "flux"
    """Generate a kustomization for the tree below the path (fluxcd/pkg kustomize generator)."""
    ARGOCD = "argocd"
    """A kustomization file makes it Kustomize; otherwise a plain directory (Argo's `directory` source)."""


class ImageOverride(Struct, frozen=True, kw_only=True):
    """Kustomize's `images` entry: `name` is matched, the others replace; empty means unchanged."""

    name: str
    new_name: str = ""
    new_tag: str = ""
    digest: str = ""


class ReplicaOverride(Struct, frozen=True):
    name: str
    count: int


class PatchTarget(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Kustomize's selector; `name` and `namespace` are anchored regular expressions."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    label_selector: str = ""
    annotation_selector: str = ""


class Patch(Struct, frozen=True, kw_only=True):
    """A strategic-merge or JSON6902 patch as text, or the path of a file that holds it."""

    patch: str = ""
    path: str = ""
    target: PatchTarget | None = None
    options: dict[str, bool] = field(default_factory=dict)


class CommonMetadata(Struct, frozen=True):
    """Put on every object's top-level metadata at the end; wins over what manifests say (Flux)."""

    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class Overlay(Struct, frozen=True, kw_only=True):
    """What the App's own resource adds to the kustomization: Flux's spec fields or Argo's `kustomize` block."""

    namespace: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    images: tuple[ImageOverride, ...] = ()
    replicas: tuple[ReplicaOverride, ...] = ()
    patches: tuple[Patch, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    common_labels: dict[str, str] = field(default_factory=dict)
    common_annotations: dict[str, str] = field(default_factory=dict)
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    build_metadata: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == Overlay()


class JsonnetVariable(Struct, frozen=True):
    """An external variable or a top-level argument: a string, or with `code` an expression."""

    name: str
    value: str
    code: bool = False


class JsonnetOptions(Struct, frozen=True, kw_only=True):
    """`libraries` are directories from the repository's root, searched for imports: the last one first."""

    ext_vars: tuple[JsonnetVariable, ...] = ()
    top_level: tuple[JsonnetVariable, ...] = ()
    libraries: tuple[str, ...] = ()


class CueOptions(Struct, frozen=True, kw_only=True):
    """What `cue export` is told: the package where the path holds several, expressions to export in place of the package
    itself, and tags (`key=value`, `key`) for files and fields that want them."""

    package: str = ""
    expressions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class HelmValueFile(Struct, frozen=True, omit_defaults=True):
    """A path from the repository's root; one that is `optional` may be absent, a `pattern` may stand for several files."""

    path: str
    optional: bool = False
    pattern: bool = False


class HelmFileValue(Struct, frozen=True):
    """`--set-file`: the text of a file, under a name in the grammar of that flag."""

    name: str
    path: str


class HelmOptions(Struct, frozen=True, kw_only=True):
    """What `helm template` is told beside the chart. Values are merged in this order, later ones winning."""

    release_name: str
    namespace: str
    value_files: tuple[HelmValueFile, ...] = ()
    values: str = ""
    """YAML."""
    set: tuple[str, ...] = ()
    """`name=value`, each as `--set` reads it; `set_string` likewise as `--set-string`."""
    set_string: tuple[str, ...] = ()
    set_file: tuple[HelmFileValue, ...] = ()
    kube_version: str = ""
    """In place of the cluster's; empty: the cluster's. `api_versions` likewise."""
    api_versions: tuple[str, ...] = ()
    include_crds: bool = True
    skip_tests: bool = False
    skip_schema_validation: bool = False


class PluginParameter(Struct, frozen=True, kw_only=True):
    """One of Argo CD's forms: a string, an array or a map."""

    name: str
    string: str | None = None
    array: tuple[str, ...] | None = None
    map: dict[str, str] | None = None


class PluginCall(Struct, frozen=True, kw_only=True):
    """What a config-management plugin is told. `asked`: the App says that a plugin renders it, by name or whichever fits."""

    asked: bool = False
    name: str = ""
    env: dict[str, str] = field(default_factory=dict)
    """Texts with marks in them."""
    parameters: tuple[PluginParameter, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    """The dialect's own variables, but for those that the revision decides."""


class Capabilities(Struct, frozen=True):
    """What a chart may ask of the cluster. `api_versions` are `group/version` and `group/version/Kind`."""

    kube_version: str = ""
    api_versions: frozenset[str] = frozenset()


class DirectoryOptions(Struct, frozen=True, kw_only=True):
    """Argo's `directory` block: `include` and `exclude` are globs (`{a,b}` allowed) on the path below the App's path."""

    recurse: bool = False
    include: str = ""
    exclude: str = ""
    any_extension: bool = False
    """Files of any name are read as manifests, not only those that end as these do."""
    jsonnet: JsonnetOptions = JsonnetOptions()


class SubstituteFrom(Struct, frozen=True, kw_only=True):
    """A ConfigMap or Secret whose keys become variables."""

    ref: ObjectRef
    optional: bool = False


class Substitution(Struct, frozen=True, kw_only=True):
    """Flux's postBuild. Later `sources` win over earlier ones, `variables` win over all (fluxcd/pkg envsubst)."""

    variables: dict[str, str] = field(default_factory=dict)
    sources: tuple[SubstituteFrom, ...] = ()
    always: bool = False
    """`substituteStrategy: Always`; otherwise texts are left alone when there are no variables at all."""
    strict: bool = True


class RenderSpec(Struct, frozen=True, kw_only=True):
    """Everything besides the Snapshot that decides what a render gives, except the values of the variables."""

    path: str
    mode: RenderMode
    overlay: Overlay = Overlay()
    helm: HelmOptions | None = None
    """Set: a chart in the path is rendered so; it is not built yet for whoever leaves it out."""
    directory: DirectoryOptions | None = None
    """Set: treat as a plain directory whatever it holds (Argo's explicit `directory`)."""
    cue: CueOptions | None = None
    """Set: the path is a CUE package, whatever else it holds."""
    force_kustomize: bool = False
    """Set: a missing kustomization file is generated or an error, as Argo's explicit `kustomize` block says."""
    force_helm: bool = False
    """Set: the path is a chart, as Argo's explicit `helm` block says."""
    ignore: str | None = None
    """`spec.ignore` of the source: gitignore lines in place of the default exclusions; None: the defaults."""
    substitution: Substitution | None = None
    common_metadata: CommonMetadata | None = None
    plugin: PluginCall | None = None
    """Set: a plugin may render the path (and must, where it is asked for)."""
    parts: tuple[Part, ...] = ()
    """Set: several sources, each rendered by itself; of this spec only what comes after the build counts."""
    overrides: bytes = b""
    """Set: what the dialect needs to read the spec anew with the override files that stand in Git (`render.overrides`)."""
    override_files: tuple[str, ...] = ()
    """Where these would stand, from the root."""
    revision_marks: bool = False
    """Set: texts of this spec hold marks that stand for the revision, so that every revision is another question."""
    private: bool = False
    """Set: a Secret's value stands in this spec (a release's values, say). What is made of it is never kept on a disk."""


class Part(Struct, frozen=True, kw_only=True):
    """One of several sources: what is mounted at `root` of the Snapshot. `refs` are mounts that it may read, by name."""

    root: str
    spec: RenderSpec
    refs: dict[str, str] = field(default_factory=dict)


def variables_used_by(spec: RenderSpec) -> tuple[ObjectRef, ...]:
    """The ConfigMaps and Secrets whose data the render needs."""
    return tuple(source.ref for source in spec.substitution.sources) if spec.substitution else ()
