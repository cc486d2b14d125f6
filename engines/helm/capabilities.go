package main

import (
	"fmt"
	"regexp"
	"runtime/debug"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// capabilities is `.Capabilities` of the templates: the cluster's, with a note of what was asked of it.
type capabilities struct {
	given       *common.Capabilities
	HelmVersion any

	askedVersion bool
	askedNames   map[string]bool
	whole        bool
}

// asked is what the answer depended on besides files: names with what was said of them, or all of it.
type asked struct {
	KubeVersion bool            `json:"kubeVersion,omitempty"`
	APIVersions map[string]bool `json:"apiVersions,omitempty"`
	All         bool            `json:"all,omitempty"`
}

// Each use of `.Capabilities` that the note sees; any other could look at everything.
var (
	seen = regexp.MustCompile(`\.Capabilities\.(KubeVersion|HelmVersion|APIVersions\.Has)\b`)
	used = regexp.MustCompile(`Capabilities`)
)

func newCapabilities(params *templateParams, loaded *loadedChart) (*capabilities, error) {
	given := common.DefaultCapabilities.Copy()
	if params.KubeVersion != "" {
		version, err := common.ParseKubeVersion(params.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("invalid kube version %q: %w", params.KubeVersion, err)
		}
		given.KubeVersion = *version
	}
	if version := libraryVersion(); version != "" {
		given.HelmVersion.Version = version
	}
	given.APIVersions = append(slices.Clone(given.APIVersions), params.APIVersions...)
	return &capabilities{
		given:       given,
		HelmVersion: given.HelmVersion,
		askedNames:  map[string]bool{},
		whole:       looksAtAll(loaded.chart),
	}, nil
}

// libraryVersion is what the official command of the library's release says of itself: charts compare with it. The library
// alone knows no more than its minor version; the command gets the rest when it is linked.
func libraryVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range info.Deps {
		if module.Path == "helm.sh/helm/v4" {
			return module.Version
		}
	}
	return ""
}

// KubeVersion is a method so that its use is seen.
func (c *capabilities) KubeVersion() *common.KubeVersion {
	c.askedVersion = true
	return &c.given.KubeVersion
}

// APIVersions answers `.Has`; where a template does something else with it, it is the library's own list.
func (c *capabilities) APIVersions() any {
	if c.whole {
		return c.given.APIVersions
	}
	return versions{VersionSet: c.given.APIVersions, note: c}
}

type versions struct {
	common.VersionSet
	note *capabilities
}

// Has notes what was asked, and the answer, where the cluster can make a difference: what the library itself knows is
// always there.
func (v versions) Has(name string) bool {
	if common.DefaultVersionSet.Has(name) {
		return true
	}
	has := v.VersionSet.Has(name)
	v.note.askedNames[name] = has
	return has
}

func (c *capabilities) asked() asked {
	return asked{KubeVersion: c.askedVersion, APIVersions: c.askedNames, All: c.whole}
}

func looksAtAll(c *chart.Chart) bool {
	for _, file := range c.Templates {
		if len(used.FindAllIndex(file.Data, -1)) != len(seen.FindAllIndex(file.Data, -1)) {
			return true
		}
	}
	return slices.ContainsFunc(c.Dependencies(), looksAtAll)
}
