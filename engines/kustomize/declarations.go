package main

import (
	"crypto/sha256"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"

	"trueup.dev/engines/pipe"
)

// A declaration is one object as a file of the build declares it, or as a generator will name it.
type declaration struct {
	group, kind, name string
	path              string
	line              int
}

// matched gives each object the file that declares it, without the library's notes, which cost a third of a build: where
// every object fits exactly one declaration. Names may have gained something before and behind. False where anything is
// open to doubt; the notes then tell.
func matched(fs *snapshotFS, resources resmap.ResMap) ([]place, bool) {
	declared, sure := declarations(fs)
	if !sure {
		return nil, false
	}
	type key struct{ group, kind string }
	byKind := map[key][]int{}
	for i, one := range declared {
		k := key{one.group, one.kind}
		byKind[k] = append(byKind[k], i)
	}
	fitting := make([][]int, resources.Size())
	for i, resource := range resources.Resources() {
		gvk := resource.GetGvk()
		for _, at := range byKind[key{gvk.Group, gvk.Kind}] {
			if strings.Contains(resource.GetName(), declared[at].name) {
				fitting[i] = append(fitting[i], at)
			}
		}
	}
	claimed := map[int]bool{} // by an object that fits nothing else
	for _, fits := range fitting {
		if len(fits) == 1 {
			claimed[fits[0]] = true
		}
	}
	places := make([]place, len(fitting))
	for i, fits := range fitting {
		left := -1
		for _, at := range fits {
			if len(fits) > 1 && claimed[at] {
				continue
			}
			if left >= 0 {
				return nil, false
			}
			left = at
		}
		if left < 0 {
			return nil, false
		}
		places[i] = place{declared[left].path, declared[left].line}
	}
	return places, true
}

// declarations are those of all files that the kustomizations which were read name as resources, and their generators'.
func declarations(fs *snapshotFS) ([]declaration, bool) {
	if len(fs.remotes.all) > 0 {
		return nil, false
	}
	var found []declaration
	for _, at := range paths(fs) {
		if !isKustomization(path.Base(at)) {
			continue
		}
		text := fs.read[at]
		if ours, ok := fs.overlay[at]; ok {
			text = ours
		}
		more, sure := declaredBy(fs, at, text)
		if !sure {
			return nil, false
		}
		found = append(found, more...)
	}
	for at, text := range fs.overlay {
		if _, read := fs.read[at]; !read {
			more, sure := declaredBy(fs, at, text)
			if !sure {
				return nil, false
			}
			found = append(found, more...)
		}
	}
	return found, true
}

func declaredBy(fs *snapshotFS, at string, text []byte) ([]declaration, bool) {
	known := kustomizations.of(text, func() *named {
		var k types.Kustomization
		if k.Unmarshal(text) != nil || len(k.Generators) > 0 || len(k.HelmCharts) > 0 || len(k.HelmChartInflationGenerator) > 0 {
			return &named{}
		}
		one := &named{sure: true, resources: append(k.Resources, k.Bases...)}
		for _, each := range k.ConfigMapGenerator {
			one.generated = append(one.generated, declaration{kind: "ConfigMap", name: each.Name})
		}
		for _, each := range k.SecretGenerator {
			one.generated = append(one.generated, declaration{kind: "Secret", name: each.Name})
		}
		return one
	})
	if !known.sure {
		return nil, false
	}
	var found []declaration
	for _, each := range known.generated {
		each.path = at
		found = append(found, each)
	}
	for _, entry := range known.resources {
		full := path.Join(path.Dir(at), entry)
		if path.IsAbs(entry) || strings.HasPrefix(full, "../") {
			return nil, false
		}
		file, err := fs.look(mounted(full), false)
		if err != nil {
			return nil, false
		}
		if file.Is == pipe.IsFile {
			found = append(found, declaredIn(file)...)
		}
	}
	return found, true
}

// declaredIn are the objects of a manifest file with their lines.
func declaredIn(file *pipe.File) []declaration {
	known := manifests.of(file.Data, func() *listed {
		docs := documents(file.Data)
		one := &listed{}
		for i := range docs {
			if docs[i].identify() != nil {
				continue
			}
			single := len(docs) == 1 && len(docs[i].ids) == 1
			for _, id := range docs[i].ids {
				line := id.line
				if single {
					line = docs[i].line
				}
				one.declared = append(one.declared, declaration{group: id.group(), kind: id.Kind, name: id.Name, line: line})
			}
		}
		return one
	})
	found := make([]declaration, len(known.declared))
	for i, each := range known.declared {
		each.path = file.At
		found[i] = each
	}
	return found
}

// What a text says is remembered by its content from one request to the next: bases are read by every overlay on them.

type named struct {
	sure      bool
	resources []string
	generated []declaration
}

type listed struct{ declared []declaration }

type memory[T any] struct {
	known map[[sha256.Size]byte]*T
	bytes int
}

const remembered = 32 << 20

func (m *memory[T]) of(text []byte, read func() *T) *T {
	key := sha256.Sum256(text)
	if one, ok := m.known[key]; ok {
		return one
	}
	one := read()
	if m.known == nil || m.bytes > remembered {
		m.known, m.bytes = map[[sha256.Size]byte]*T{}, 0
	}
	m.known[key] = one
	m.bytes += len(text)
	return one
}

var (
	kustomizations memory[named]
	manifests      memory[listed]
)
