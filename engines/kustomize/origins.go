package main

import (
	"bytes"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/resmap"
)

// isList says that a document may hold several objects.
func isList(text []byte) bool { return bytes.Contains(text, []byte("List")) }

// origins says which file each object of a build came from, by the library's own notes.
type origins struct {
	fs    *snapshotFS
	root  string
	paths []string
	docs  map[string][]document
}

// take reads the notes and removes them.
func (o *origins) take(resources resmap.ResMap) error {
	for _, resource := range resources.Resources() {
		origin, err := resource.GetOrigin()
		if err != nil {
			return err
		}
		if err := resource.SetOrigin(nil); err != nil {
			return err
		}
		where := ""
		if origin != nil && origin.Repo == "" {
			where = origin.Path
			if where == "" {
				where = origin.ConfiguredIn
			}
		}
		if where != "" {
			where = path.Join(o.root, where)
		}
		o.paths = append(o.paths, where)
	}
	return nil
}

// of gives the file of the i-th object, with links followed, and the line where its document begins. Names may have
// been changed on the way, so a file of several documents is searched for the same kind and the best fitting name.
func (o *origins) of(i int, kind, name string) (string, int) {
	if o.paths[i] == "" {
		return "", 0
	}
	file, err := o.fs.look(mounted(o.paths[i]), false)
	if err != nil || file.Data == nil {
		return o.paths[i], 0
	}
	if isKustomization(path.Base(file.At)) {
		return file.At, 0
	}
	if o.docs == nil {
		o.docs = map[string][]document{}
	}
	docs, ok := o.docs[file.At]
	if !ok {
		docs = documents(file.Data)
		if len(docs) > 1 || (len(docs) == 1 && isList(docs[0].text)) {
			for j := range docs {
				docs[j].identify()
			}
		}
		o.docs[file.At] = docs
	}
	if len(docs) == 1 && len(docs[0].ids) <= 1 {
		return file.At, docs[0].line
	}
	best, line := 0, 0
	for _, doc := range docs {
		for _, id := range doc.ids {
			if id.Kind != kind || id.Name == "" || !strings.Contains(name, id.Name) {
				continue
			}
			if len(id.Name) > best {
				best, line = len(id.Name), id.line
			}
		}
	}
	return file.At, line
}
