package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releases "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"

	"trueup.dev/engines/pipe"
)

const notes = "NOTES.txt"

// templateParams asks for what `helm template` would print for a chart of the Snapshot.
type templateParams struct {
	Path        string `json:"path"`
	ReleaseName string `json:"releaseName"`
	Namespace   string `json:"namespace"`
	valueParams
	KubeVersion          string   `json:"kubeVersion"`
	APIVersions          []string `json:"apiVersions"`
	IncludeCRDs          bool     `json:"includeCRDs"`
	SkipTests            bool     `json:"skipTests"`
	SkipSchemaValidation bool     `json:"skipSchemaValidation"`
	MaxBytes             int      `json:"maxBytes"`
	// Dependencies were fetched for the chart; those that it lacks are taken from them.
	Dependencies []fetchedChart `json:"dependencies"`
}

// document is one rendered file of the chart, or a part of one; Path is where its template stands in the Snapshot.
type document struct {
	Text string `json:"text"`
	Path string `json:"path"`
}

type templated struct {
	Documents []document `json:"documents"`
	Asked     asked      `json:"asked"`
	Notes     string     `json:"notes,omitempty"`
}

func template(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params templateParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	loaded, err := loadChart(files, params.Path)
	if err != nil {
		return nil, false, err
	}
	if loaded, err = complete(loaded, params.Dependencies, files); err != nil {
		return nil, false, err
	}
	result, err := render(loaded, &params, files)
	if err != nil {
		return nil, false, explain(err, loaded)
	}
	return result, false, nil
}

// render does in order what the install action does for `helm template`.
func render(loaded *loadedChart, params *templateParams, files *pipe.Files) (*templated, error) {
	values, err := mergedValues(&params.valueParams, files)
	if err != nil {
		return nil, err
	}
	if err := checkInstallable(loaded.chart, params.ReleaseName); err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(loaded.chart, values); err != nil {
		return nil, fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	caps, err := newCapabilities(params, loaded)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{
		Name: params.ReleaseName, Namespace: params.Namespace, Revision: 1, IsInstall: true,
	}
	top, err := commonutil.ToRenderValuesWithSchemaValidation(
		loaded.chart, values, options, caps.given, params.SkipSchemaValidation)
	if err != nil {
		return nil, err
	}
	top["Capabilities"] = caps
	if wanted := loaded.chart.Metadata.KubeVersion; wanted != "" {
		if !chartutil.IsCompatibleRange(wanted, caps.KubeVersion().String()) {
			return nil, fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s",
				wanted, caps.given.KubeVersion.Version)
		}
	}
	rendered, err := engine.Engine{}.RenderWithContext(context.Background(), loaded.chart, top)
	if err != nil {
		return nil, err
	}
	return collect(rendered, loaded, caps, params)
}

func collect(rendered map[string]string, loaded *loadedChart, caps *capabilities, params *templateParams) (*templated, error) {
	result := &templated{Documents: []document{}, Asked: caps.asked()}
	for name, text := range rendered {
		if strings.HasSuffix(name, notes) {
			if name == path.Join(loaded.chart.Name(), "templates", notes) {
				result.Notes = text
			}
			delete(rendered, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(rendered, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	total := 0
	add := func(name, text string) error {
		if total += len(text); params.MaxBytes > 0 && total > params.MaxBytes {
			return &pipe.Problem{
				Code: "TooLarge", Path: loaded.root,
				Message: fmt.Sprintf("the manifests have more than %d bytes together", params.MaxBytes),
			}
		}
		result.Documents = append(result.Documents, document{Text: text, Path: loaded.place(name)})
		return nil
	}
	if params.IncludeCRDs {
		for _, crd := range loaded.chart.CRDObjects() {
			if err := add(crd.Filename, string(crd.File.Data)); err != nil {
				return nil, err
			}
		}
	}
	for _, manifest := range manifests {
		if err := add(manifest.Name, manifest.Content); err != nil {
			return nil, err
		}
	}
	for _, hook := range hooks {
		if params.SkipTests && slices.Contains(hook.Events, releases.HookTest) {
			continue
		}
		if err := add(hook.Path, hook.Manifest); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// checkInstallable refuses what the command refuses before it renders.
func checkInstallable(c *chart.Chart, name string) error {
	if err := chartutil.ValidateReleaseName(name); err != nil {
		return fmt.Errorf("release name %q: %w", name, err)
	}
	if kind := c.Metadata.Type; kind != "" && kind != "application" {
		return &pipe.Problem{
			Code: "NotInstallable", Message: fmt.Sprintf("%s charts are not installable", kind),
			Hint: "a library chart is a dependency of others; name an application chart",
		}
	}
	if missing := missingDependencies(c); len(missing) > 0 {
		return missingDependency(missing)
	}
	return nil
}
