package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"trueup.dev/engines/pipe"
)

// overlay is what the App's own resource adds to the kustomization of its path.
type overlay struct {
	// Rules is whose way of adding holds: "flux" or "argocd".
	Rules                   string            `json:"rules"`
	Namespace               string            `json:"namespace"`
	NamePrefix              string            `json:"namePrefix"`
	NameSuffix              string            `json:"nameSuffix"`
	Images                  []types.Image     `json:"images"`
	Replicas                []types.Replica   `json:"replicas"`
	Patches                 []types.Patch     `json:"patches"`
	Components              []string          `json:"components"`
	IgnoreMissingComponents bool              `json:"ignoreMissingComponents"`
	CommonLabels            map[string]string `json:"commonLabels"`
	CommonAnnotations       map[string]string `json:"commonAnnotations"`
	ForceCommonLabels       bool              `json:"forceCommonLabels"`
	ForceCommonAnnotations  bool              `json:"forceCommonAnnotations"`
	LabelWithoutSelector    bool              `json:"labelWithoutSelector"`
	LabelIncludeTemplates   bool              `json:"labelIncludeTemplates"`
	BuildMetadata           []string          `json:"buildMetadata"`
}

const rulesFlux = "flux"

func isKustomization(name string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), name)
}

// prepare lays the kustomization that is to be built over the one in the Snapshot. With notes, the library is asked
// to note for each object which file it came from.
func prepare(fs *snapshotFS, params *buildParams, notes bool) error {
	name, text, err := findKustomization(fs, params)
	if err != nil {
		return err
	}
	k := types.Kustomization{TypeMeta: types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind}}
	switch {
	case params.Resources != nil:
		k.Resources = params.Resources
	case params.Overlay != nil && params.Overlay.Rules == rulesFlux:
		if err := yaml.Unmarshal(text, &k); err != nil { // lenient, as Flux reads the file of the path
			return invalidKustomization(path.Join(params.Path, name), text, err)
		}
		fs.passedOver = unknownFields(path.Join(params.Path, name), text)
	default:
		if err := k.Unmarshal(text); err != nil {
			return invalidKustomization(path.Join(params.Path, name), text, err)
		}
	}
	if params.Overlay != nil {
		if err := params.Overlay.apply(&k, fs, params.Path); err != nil {
			return in(path.Join(params.Path, name), err)
		}
	}
	if params.Resources != nil && isEmpty(&k) {
		return errNothing
	}
	if err := checkEmpty(k, path.Join(params.Path, name), params.Overlay != nil); err != nil {
		return err
	}
	if notes && !slices.Contains(k.BuildMetadata, types.OriginAnnotations) {
		k.BuildMetadata = append(k.BuildMetadata, types.OriginAnnotations)
	}
	merged, err := yaml.Marshal(k)
	if err != nil {
		return err
	}
	at := path.Join(params.Path, name)
	fs.overlay[at] = fs.remotes.localised(fs, merged, mounted(params.Path), at)
	return nil
}

// in says of a problem that it is one with this file, unless it tells another.
func in(at string, err error) error {
	var problem *pipe.Problem
	if errors.As(err, &problem) && problem.Path == "" {
		problem.Path = at
	}
	return err
}

// findKustomization reads the file of the path as it stands in the Snapshot. Two of them are an error of the library.
func findKustomization(fs *snapshotFS, params *buildParams) (string, []byte, error) {
	if params.Resources != nil {
		return konfig.DefaultKustomizationFileName(), nil, nil
	}
	var name string
	var text []byte
	for _, candidate := range konfig.RecognizedKustomizationFileNames() {
		full := path.Join(params.Path, candidate)
		delete(fs.overlay, full)
		if !fs.Exists(mounted(full)) || fs.IsDir(mounted(full)) {
			continue
		}
		if name != "" {
			return "", nil, &pipe.Problem{
				Code:    "SeveralKustomizations",
				Message: fmt.Sprintf("found both %s and %s", name, candidate),
				Path:    params.Path,
				Hint:    "keep one of them",
			}
		}
		data, err := fs.ReadFile(mounted(full))
		if err != nil {
			return "", nil, err
		}
		name, text = candidate, data
	}
	if name == "" {
		return "", nil, &pipe.Problem{
			Code:    "NoKustomization",
			Message: "there is no kustomization.yaml, kustomization.yml or Kustomization",
			Path:    params.Path,
			Hint:    "add one that lists the resources, or name the path that has one",
		}
	}
	return name, text, nil
}

func (o *overlay) apply(k *types.Kustomization, fs *snapshotFS, dir string) error {
	if o.Namespace != "" {
		k.Namespace = o.Namespace
	}
	if o.NamePrefix != "" {
		k.NamePrefix = o.NamePrefix
	}
	if o.NameSuffix != "" {
		k.NameSuffix = o.NameSuffix
	}
	o.setImages(k)
	for _, replica := range o.Replicas {
		set(&k.Replicas, replica, func(other types.Replica) bool { return other.Name == replica.Name })
	}
	if err := o.addLabels(k); err != nil {
		return err
	}
	if err := o.addAnnotations(k); err != nil {
		return err
	}
	k.Patches = append(k.Patches, o.Patches...)
	if err := o.addComponents(k, fs, dir); err != nil {
		return err
	}
	if len(o.BuildMetadata) > 0 {
		k.BuildMetadata = slices.Clone(o.BuildMetadata)
	}
	return nil
}

// set replaces the entry that same finds, or appends.
func set[T any](list *[]T, value T, same func(T) bool) {
	if i := slices.IndexFunc(*list, same); i >= 0 {
		(*list)[i] = value
		return
	}
	*list = append(*list, value)
}

// setImages replaces whole entries by name. In Argo CD's way (`kustomize edit set image`) "*" keeps what stands there,
// and the list is then sorted by name.
func (o *overlay) setImages(k *types.Kustomization) {
	if len(o.Images) == 0 {
		return
	}
	for _, image := range o.Images {
		same := func(other types.Image) bool { return other.Name == image.Name }
		if o.Rules != rulesFlux {
			var old types.Image // of an image that the file does not name, there is nothing to keep
			if i := slices.IndexFunc(k.Images, same); i >= 0 {
				old = k.Images[i]
			}
			keep(&image.NewName, old.NewName)
			keep(&image.NewTag, old.NewTag)
			keep(&image.Digest, old.Digest)
		}
		set(&k.Images, image, same)
	}
	if o.Rules != rulesFlux {
		slices.SortStableFunc(k.Images, func(a, b types.Image) int { return strings.Compare(a.Name, b.Name) })
	}
}

func keep(value *string, old string) {
	if *value == "*" {
		*value = old
	}
}

func (o *overlay) addLabels(k *types.Kustomization) error {
	if len(o.CommonLabels) == 0 {
		return nil
	}
	if !o.LabelWithoutSelector {
		return add(&k.CommonLabels, o.CommonLabels, o.ForceCommonLabels, "label")
	}
	for i := range k.Labels {
		if !k.Labels[i].IncludeSelectors && k.Labels[i].IncludeTemplates == o.LabelIncludeTemplates {
			return add(&k.Labels[i].Pairs, o.CommonLabels, o.ForceCommonLabels, "label")
		}
	}
	k.Labels = append(k.Labels, types.Label{Pairs: o.CommonLabels, IncludeTemplates: o.LabelIncludeTemplates})
	return nil
}

func (o *overlay) addAnnotations(k *types.Kustomization) error {
	return add(&k.CommonAnnotations, o.CommonAnnotations, o.ForceCommonAnnotations, "annotation")
}

func add(to *map[string]string, pairs map[string]string, force bool, what string) error {
	if *to == nil && len(pairs) > 0 {
		*to = map[string]string{}
	}
	for key, value := range pairs {
		if _, there := (*to)[key]; there && !force {
			return &pipe.Problem{
				Code:    "AlreadySet",
				Message: fmt.Sprintf("%s %s is already in the kustomization file", what, key),
				Hint:    fmt.Sprintf("remove it there, or set forceCommon%ss", strings.ToUpper(what[:1])+what[1:]),
			}
		}
		(*to)[key] = value
	}
	return nil
}

func (o *overlay) addComponents(k *types.Kustomization, fs *snapshotFS, dir string) error {
	for _, component := range o.Components {
		if o.Rules == rulesFlux && (path.IsAbs(component) || strings.Contains(component, "://")) {
			return &pipe.Problem{
				Code:    "InvalidComponent",
				Message: fmt.Sprintf("component %q must be a relative path inside the repository", component),
			}
		}
		full := mounted(path.Join(dir, component))
		if o.IgnoreMissingComponents && !fs.IsDir(full) {
			continue
		}
		if !slices.Contains(k.Components, component) {
			k.Components = append(k.Components, component)
		}
	}
	return nil
}

// checkEmpty refuses a kustomization file that says nothing, as the library does: our notes would hide that from it, and
// an empty answer by mistake would remove everything. Where the file is written anew, `resources: []` is lost with it.
func checkEmpty(k types.Kustomization, at string, rewritten bool) error {
	if rewritten {
		text, err := yaml.Marshal(k)
		if err != nil {
			return err
		}
		k = types.Kustomization{}
		if err := yaml.Unmarshal(text, &k); err != nil {
			return err
		}
	}
	k.FixKustomization()
	if k.CheckEmpty() != nil {
		return &pipe.Problem{
			Code: "EmptyKustomization", Message: "the kustomization file is empty", Path: at,
			Hint: "list resources in it, or remove it",
		}
	}
	return nil
}

// isEmpty says that a generated kustomization has nothing to work on; the library calls that an error, for us it is an
// answer. Components may bring resources of their own.
func isEmpty(k *types.Kustomization) bool { return len(k.Resources) == 0 && len(k.Components) == 0 }
