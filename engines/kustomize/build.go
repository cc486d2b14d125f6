package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"trueup.dev/engines/pipe"
)

// buildParams asks for `kustomize build` of a directory.
type buildParams struct {
	Path string `json:"path"`
	// Resources stand in for a kustomization file where the directory has none; null when it has one.
	Resources []string `json:"resources"`
	Overlay   *overlay `json:"overlay"`
	// MaxObjects and MaxBytes bound the answer.
	MaxObjects int `json:"maxObjects"`
	MaxBytes   int `json:"maxBytes"`
	// Remotes are what was fetched for this build, as far as it is known to need them.
	Remotes []remote `json:"remotes"`
}

// object is one rendered manifest. Text is its YAML, given only where a variable might stand in it.
type object struct {
	JSON json.RawMessage `json:"object"`
	Path string          `json:"path,omitempty"`
	Line int             `json:"line,omitempty"`
	Text string          `json:"text,omitempty"`
}

// place is where an object was declared; line 0: in the file as a whole.
type place struct {
	path string
	line int
}

type objects struct {
	Objects []object `json:"objects"`
	// Skipped are fields of the path's own file that mean nothing.
	Skipped []skipped `json:"skipped,omitempty"`
}

func build(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params buildParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	fs := newSnapshotFS(files, params.Remotes)
	http.DefaultTransport = fs
	result, err := buildGuarded(fs, &params)
	retire := changesSchema(fs)
	if err != nil {
		return nil, retire, explain(fs, params.Path, err)
	}
	return result, retire, nil
}

// buildGuarded gives the one panic of the library that users can cause a plain answer; others are the pipe's to report.
func buildGuarded(fs *snapshotFS, params *buildParams) (result *objects, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			if text := fmt.Sprint(cause); !strings.HasPrefix(text, "invalid schema file") {
				panic(cause)
			}
			at, line := mention(fs, "openapi")
			result, err = nil, &pipe.Problem{
				Code: "InvalidSchema", Message: "the schema named under openapi cannot be read", Path: at, Line: line,
				Hint: "write it as `kustomize openapi fetch` does",
			}
		}
	}()
	return buildIn(fs, params)
}

func buildIn(fs *snapshotFS, params *buildParams) (*objects, error) {
	if err := prepare(fs, params, false); err != nil {
		return nil, err
	}
	resources, err := run(fs, params.Path)
	if err != nil {
		return nil, err
	}
	places, sure := matched(fs, resources)
	if !sure {
		if places, err = noted(fs, params, resources); err != nil {
			return nil, err
		}
	}
	if err := fs.remotes.renameOrigins(resources); err != nil {
		return nil, err
	}
	result, err := collect(resources, places, params)
	if err == nil {
		result.Skipped = fs.passedOver
	}
	return result, err
}

// noted builds once more, with the library's own notes about where objects come from. They live in an annotation while it
// works, which a patch or selector could see, so nothing else of this build counts.
func noted(fs *snapshotFS, params *buildParams, resources resmap.ResMap) ([]place, error) {
	places := make([]place, resources.Size())
	if err := prepare(fs, params, true); err != nil {
		return nil, err
	}
	again, err := run(fs, params.Path)
	if err != nil || again.Size() != len(places) {
		return places, nil // no place is better than a wrong one
	}
	origins := origins{fs: fs, root: params.Path}
	if err := origins.take(again); err != nil {
		return nil, err
	}
	for i, resource := range resources.Resources() {
		places[i].path, places[i].line = origins.of(i, resource.GetKind(), resource.GetName())
	}
	return places, nil
}

func run(fs *snapshotFS, dir string) (resmap.ResMap, error) {
	return krusty.MakeKustomizer(&krusty.Options{
		LoadRestrictions: types.LoadRestrictionsNone, // the Snapshot's root is the restriction
		PluginConfig:     types.DisabledPluginConfig(),
	}).Run(fs, mounted(dir))
}

func collect(resources resmap.ResMap, places []place, params *buildParams) (*objects, error) {
	if params.MaxObjects > 0 && resources.Size() > params.MaxObjects {
		return nil, tooMany(resources.Size(), params.MaxObjects)
	}
	result := &objects{Objects: make([]object, 0, resources.Size())}
	total := 0
	for i, resource := range resources.Resources() {
		text, err := resource.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if total += len(text); params.MaxBytes > 0 && total > params.MaxBytes {
			return nil, tooLarge(params.MaxBytes)
		}
		one := object{JSON: text}
		one.Path, one.Line = places[i].path, places[i].line
		if bytes.IndexByte(text, '$') >= 0 {
			asYAML, err := yaml.JSONToYAML(text)
			if err != nil {
				return nil, err
			}
			one.Text = string(asYAML)
		}
		result.Objects = append(result.Objects, one)
	}
	return result, nil
}

// changesSchema says that this build left the library's process-wide schema different from how it found it.
func changesSchema(fs *snapshotFS) bool {
	for at, text := range fs.read {
		if isKustomization(path.Base(at)) && (bytes.Contains(text, []byte("openapi")) || bytes.Contains(text, []byte("crds"))) {
			return true
		}
	}
	return false
}
