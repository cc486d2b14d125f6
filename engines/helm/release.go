package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
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

// releaseParams asks for the release object that an install or an upgrade would record before it touches the cluster.
type releaseParams struct {
	templateParams
	layerParams
	// Version replaces the chart's own (Flux appends the digest of an OCI artifact).
	Version  string `json:"version"`
	Revision int    `json:"revision"`
	Upgrade  bool   `json:"upgrade"`
	// Previous is the release whose values an upgrade keeps (preserveValues); null: none.
	Previous *releases.Release `json:"previous"`
	Marks    marks             `json:"marks"`
	// PostRender says how often the client is to be asked for its post-rendering: see the three strategies.
	PostRender string `json:"postRender"`
}

type prepared struct {
	Release      *releases.Release `json:"release"`
	Objects      []document        `json:"objects"`
	ConfigDigest string            `json:"configDigest"`
	Asked        asked             `json:"asked"`
}

func release(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params releaseParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	loaded, err := loadChart(files, params.Path)
	if err != nil {
		return nil, false, err
	}
	if params.Version != "" {
		loaded.chart.Metadata.Version = params.Version
	}
	result, err := prepare(loaded, &params, files)
	if err != nil {
		return nil, false, explain(err, loaded)
	}
	return result, false, nil
}

// prepare does in order what the install and upgrade actions do until they speak to the cluster.
func prepare(loaded *loadedChart, params *releaseParams, files *pipe.Files) (*prepared, error) {
	values, err := params.merged()
	if err != nil {
		return nil, err
	}
	digest, err := digestOf(values)
	if err != nil {
		return nil, err
	}
	if err := checkInstallable(loaded.chart, params.ReleaseName); err != nil {
		return nil, err
	}
	if params.Previous != nil {
		if values, err = keepValues(loaded.chart, params.Previous, values); err != nil {
			return nil, err
		}
	}
	if err := chartutil.ProcessDependencies(loaded.chart, values); err != nil {
		return nil, fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	caps, err := newCapabilities(&params.templateParams, loaded)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{
		Name: params.ReleaseName, Namespace: params.Namespace, Revision: params.Revision,
		IsInstall: !params.Upgrade, IsUpgrade: params.Upgrade,
	}
	top, err := commonutil.ToRenderValuesWithSchemaValidation(
		loaded.chart, values, options, caps.given, params.SkipSchemaValidation)
	if err != nil {
		return nil, err
	}
	top["Capabilities"] = caps
	if err := checkVersion(loaded.chart, caps); err != nil {
		return nil, err
	}
	rendered, err := engine.RenderWithClientProvider(loaded.chart, top, cluster{files})
	if err != nil {
		return nil, err
	}
	notes := takeNotes(rendered, loaded.chart)
	if rendered, err = postRender(rendered, params, files); err != nil {
		return nil, err
	}
	hooks, manifests, err := releaseutil.SortManifests(rendered, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	objects := []document{}
	for _, manifest := range manifests {
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", manifest.Name, manifest.Content)
		objects = append(objects, document{Text: manifest.Content, Path: loaded.place(manifest.Name)})
	}
	if params.MaxBytes > 0 && text.Len() > params.MaxBytes {
		return nil, &pipe.Problem{
			Code: "TooLarge", Path: loaded.root,
			Message: fmt.Sprintf("the manifests have more than %d bytes together", params.MaxBytes),
		}
	}
	return &prepared{
		Release: &releases.Release{
			Name: params.ReleaseName, Namespace: params.Namespace, Version: params.Revision,
			Info: &releases.Info{Notes: notes}, Chart: loaded.chart, Config: values, Manifest: text.String(),
			Hooks: hooks, ApplyMethod: string(releases.ApplyMethodServerSideApply),
		},
		Objects: objects, ConfigDigest: digest, Asked: caps.asked(),
	}, nil
}

// keepValues is the upgrade action's `--reuse-values`.
func keepValues(c *chart.Chart, previous *releases.Release, values map[string]any) (map[string]any, error) {
	if previous.Chart == nil {
		return values, nil
	}
	before, err := commonutil.CoalesceValues(previous.Chart, previous.Config)
	if err != nil {
		return nil, fmt.Errorf("failed to rebuild old values: %w", err)
	}
	values = commonutil.CoalesceTables(values, previous.Config)
	c.Values = before
	return values, nil
}

func checkVersion(c *chart.Chart, caps *capabilities) error {
	if wanted := c.Metadata.KubeVersion; wanted != "" {
		if !chartutil.IsCompatibleRange(wanted, caps.KubeVersion().String()) {
			return fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s",
				wanted, caps.given.KubeVersion.Version)
		}
	}
	return nil
}

// takeNotes takes NOTES.txt of the chart and its subcharts out of what was rendered, and gives the chart's own.
func takeNotes(rendered map[string]string, c *chart.Chart) string {
	found := ""
	for name, text := range rendered {
		if strings.HasSuffix(name, notes) {
			if name == path.Join(c.Name(), "templates", notes) {
				found = text
			}
			delete(rendered, name)
		}
	}
	return found
}
