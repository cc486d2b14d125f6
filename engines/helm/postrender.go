package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"

	"trueup.dev/engines/pipe"
)

// The strategies of Helm 4 for what a post-renderer sees.
const (
	noHooks  = "nohooks"
	combined = "combined"
	separate = "separate"
)

// origin is the annotation by which the library follows a document through post-rendering.
const origin = "postrenderer.helm.sh/postrender-filename"

// marks are put on every object that was post-rendered, after everything else.
type marks struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	// Ask: the client has post-renderers of its own, which come first.
	Ask bool `json:"ask"`
}

// postRender sends what was rendered through the client's post-renderers and the marks, grouped as the strategy says.
func postRender(rendered map[string]string, params *releaseParams, files *pipe.Files) (map[string]string, error) {
	if params.PostRender == "" || params.PostRender == combined {
		return postRendered(rendered, "", params, files)
	}
	if params.PostRender != noHooks && params.PostRender != separate {
		return nil, &pipe.Problem{
			Code: "Failed", Message: fmt.Sprintf("unknown post-render strategy %q", params.PostRender),
			Hint: "allowed are nohooks, combined and separate",
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(rendered, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	hookFiles, manifestFiles := map[string]string{}, map[string]string{}
	for _, hook := range hooks {
		join(hookFiles, hook.Path, hook.Manifest)
	}
	for _, manifest := range manifests {
		join(manifestFiles, manifest.Name, manifest.Content)
	}
	if params.PostRender == separate {
		if hookFiles, err = postRendered(hookFiles, "hooks", params, files); err != nil {
			return nil, err
		}
	}
	if manifestFiles, err = postRendered(manifestFiles, "manifests", params, files); err != nil {
		return nil, err
	}
	for name, text := range hookFiles {
		join(manifestFiles, name, text)
	}
	return manifestFiles, nil
}

func join(files map[string]string, name, text string) {
	if before, ok := files[name]; ok {
		text = before + "\n---\n" + text
	}
	files[name] = text
}

func postRendered(rendered map[string]string, group string, params *releaseParams, files *pipe.Files) (map[string]string, error) {
	nodes, err := merged(rendered)
	if err != nil || len(nodes) == 0 {
		return map[string]string{}, err
	}
	if params.Marks.Ask {
		text, err := kio.StringAll(nodes)
		if err != nil {
			return nil, err
		}
		var told []json.RawMessage
		if err := files.Ask("post-render", map[string]string{"text": text}, &told); err != nil {
			return nil, fmt.Errorf("post-rendering: %w", err)
		}
		var all []string
		for _, object := range told {
			text, err := yaml.JSONToYAML(object)
			if err != nil {
				return nil, err
			}
			all = append(all, string(text))
		}
		if nodes, err = kio.ParseAll(strings.Join(all, "---\n")); err != nil {
			return nil, fmt.Errorf("post-rendering gave YAML that cannot be read: %w", err)
		}
	}
	for _, node := range nodes {
		if err := params.Marks.put(node); err != nil {
			return nil, err
		}
	}
	return apart(nodes, group)
}

// merged is one stream of all documents in the order of their files, each with the name of its file.
func merged(rendered map[string]string) ([]*kyaml.RNode, error) {
	var nodes []*kyaml.RNode
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		text := rendered[name]
		if strings.HasPrefix(path.Base(name), "_") || strings.TrimSpace(text) == "" {
			continue
		}
		parts := releaseutil.SplitManifests(text)
		keys := slices.Collect(maps.Keys(parts))
		sort.Sort(releaseutil.BySplitManifestsOrder(keys))
		for _, key := range keys {
			if strings.TrimSpace(parts[key]) == "" {
				continue
			}
			parsed, err := kio.ParseAll(parts[key])
			if err != nil {
				return nil, fmt.Errorf("YAML parse error on %s: %w", name, err)
			}
			for _, node := range parsed {
				if err := node.PipeE(kyaml.SetAnnotation(origin, name)); err != nil {
					return nil, fmt.Errorf("YAML parse error on %s: %w", name, err)
				}
				nodes = append(nodes, node)
			}
		}
	}
	return nodes, nil
}

// apart gives each file its documents back; what post-rendering added gets a file of its own.
func apart(nodes []*kyaml.RNode, group string) (map[string]string, error) {
	byName := map[string][]*kyaml.RNode{}
	for i, node := range nodes {
		meta, err := node.GetMeta()
		if err != nil {
			return nil, err
		}
		name := meta.Annotations[origin]
		if name == "" {
			name = "generated-by-postrender-" + strings.TrimPrefix(fmt.Sprintf("%s-%d.yaml", group, i), "-")
		}
		if err := node.PipeE(kyaml.ClearAnnotation(origin)); err != nil {
			return nil, err
		}
		if len(node.GetAnnotations()) == 0 {
			if err := node.PipeE(kyaml.Lookup("metadata"), kyaml.Clear("annotations")); err != nil {
				return nil, err
			}
		}
		byName[name] = append(byName[name], node)
	}
	files := make(map[string]string, len(byName))
	for name, docs := range byName {
		text, err := kio.StringAll(docs)
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	return files, nil
}

func (m *marks) put(node *kyaml.RNode) error {
	for _, key := range slices.Sorted(maps.Keys(m.Labels)) {
		if err := node.PipeE(kyaml.SetLabel(key, m.Labels[key])); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Annotations)) {
		if err := node.PipeE(kyaml.SetAnnotation(key, m.Annotations[key])); err != nil {
			return err
		}
	}
	return nil
}
