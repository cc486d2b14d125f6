package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/resmap"

	"trueup.dev/engines/pipe"
)

// A remote is what a kustomization names outside its repository, fetched before the build: a repository's directory, which
// the library is led to, or a file, which it reads as the answer to its own request. Nothing is fetched here.
type remote struct {
	Text string `json:"text"` // as the kustomization names it
	Root string `json:"root"` // where the content stands on the pipe
	Path string `json:"path"` // of the directory or file below Root
	File bool   `json:"file"`
	Repo string `json:"repo"` // what the library would note as its origin
	Ref  string `json:"ref"`
	// place is where the library sees Root. Nobody can guess it, so no path in a remote leads anywhere else.
	place string
}

// remotes are those that one build may use, and those that it turned out to need.
type remotes struct {
	byText map[string]*remote
	all    []*remote
	needs  []pipe.Need
	needed map[string]bool
}

func unguessable() string {
	var secret [16]byte
	if _, err := rand.Read(secret[:]); err != nil {
		panic(err)
	}
	return hex.EncodeToString(secret[:])
}

func newRemotes(given []remote) *remotes {
	r := &remotes{byText: map[string]*remote{}, needed: map[string]bool{}}
	places := map[string]string{}
	for i := range given {
		one := &given[i]
		if places[one.Root] == "" {
			places[one.Root] = "/.remote-" + unguessable()
		}
		one.place = places[one.Root]
		r.byText[one.Text] = one
		r.all = append(r.all, one)
	}
	return r
}

func (r *remotes) need(text, at string, line int, directory bool) {
	if !r.needed[text] {
		r.needed[text] = true
		r.needs = append(r.needs, pipe.Need{Text: text, Path: at, Line: line, Directory: directory})
	}
}

// rel gives the path on the pipe of a place inside a remote.
func (r *remotes) rel(clean string) (string, bool) {
	for _, one := range r.all {
		if clean == one.place {
			return one.Root, true
		}
		if below, ok := strings.CutPrefix(clean, one.place+"/"); ok {
			return one.Root + "/" + below, true
		}
	}
	return "", false
}

// placeOf is where the library sees a path on the pipe, if it is one inside a remote.
func (r *remotes) placeOf(rel string) (string, bool) {
	for _, one := range r.all {
		if rel == one.Root {
			return one.place, true
		}
		if below, ok := strings.CutPrefix(rel, one.Root+"/"); ok {
			return one.place + "/" + below, true
		}
	}
	return "", false
}

// accumulated are the fields whose entries may be repositories; those of components are never files.
var accumulated = map[string]bool{
	"resources": true, "bases": true, "generators": true, "transformers": true, "validators": true, "components": true,
}

// localised leads the entries of a kustomization that name fetched repositories to where they stand, and notes those that
// may name one that is not here. dir is where the library sees the file's directory.
func (r *remotes) localised(fs *snapshotFS, text []byte, dir, at string) []byte {
	if !mayNameRemote(text) {
		return text
	}
	var file yaml.Node
	if yaml.Unmarshal(text, &file) != nil || len(file.Content) == 0 || file.Content[0].Kind != yaml.MappingNode {
		return text // the library says better what is wrong with it
	}
	changed := false
	fields := file.Content[0].Content
	for i := 0; i+1 < len(fields); i += 2 {
		if !accumulated[fields[i].Value] || fields[i+1].Kind != yaml.SequenceNode {
			continue
		}
		for _, entry := range fields[i+1].Content {
			if entry.Kind == yaml.ScalarNode && r.lead(fs, entry, dir, at, fields[i].Value == "components") {
				changed = true
			}
		}
	}
	if !changed {
		return text
	}
	out, err := yaml.Marshal(&file)
	if err != nil {
		return text
	}
	return out
}

func (r *remotes) lead(fs *snapshotFS, entry *yaml.Node, dir, at string, directory bool) bool {
	name := entry.Value
	if strings.Contains(name, "\n") || !mayNameRemote([]byte(name)) {
		return false
	}
	if !directory && !strings.Contains(name, "://") { // a file of that name is what the library takes first
		if file, err := fs.look(filepath.Join(dir, name), false); err == nil && file.Is == pipe.IsFile {
			return false
		}
	}
	found := r.byText[name]
	if found == nil {
		r.need(name, at, lineOf(fs.read[at], name), directory)
		return false
	}
	if found.File {
		return false
	}
	target, err := filepath.Rel(dir, filepath.Join(found.place, found.Path))
	if err != nil {
		return false
	}
	entry.Value, entry.Style, entry.Tag = target, yaml.DoubleQuotedStyle, "!!str"
	return true
}

func lineOf(text []byte, name string) int {
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, name) {
			return i + 1
		}
	}
	return 0
}

// mayNameRemote is true for every text that the library might take for a repository or URL, and few others.
func mayNameRemote(text []byte) bool {
	lower := bytes.ToLower(text)
	for _, mark := range []string{"://", "@", "git::", "github.com"} {
		if bytes.Contains(lower, []byte(mark)) {
			return true
		}
	}
	return false
}

// RoundTrip answers the library's own requests from what was fetched.
func (s *snapshotFS) RoundTrip(request *http.Request) (*http.Response, error) {
	asked := request.URL.String()
	for text, one := range s.remotes.byText {
		if parsed, err := url.ParseRequestURI(text); err != nil || parsed.String() != asked {
			continue
		}
		if !one.File {
			return response(request, http.StatusNotFound, nil), nil // so that it goes on to the repository
		}
		data, err := s.ReadFile(path.Join(one.place, one.Path))
		if err != nil {
			return nil, err
		}
		return response(request, http.StatusOK, data), nil
	}
	at, line := mention(s, asked)
	s.remotes.need(asked, at, line, false)
	return nil, pipe.ErrNoNetwork
}

func response(request *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: request, Header: http.Header{},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// renameOrigins gives the notes about origins that the user asked for the words that the library would have used.
func (r *remotes) renameOrigins(resources resmap.ResMap) error {
	if len(r.all) == 0 {
		return nil
	}
	for _, resource := range resources.Resources() {
		origin, err := resource.GetOrigin()
		if err != nil || origin == nil {
			continue
		}
		for _, one := range r.all {
			mark := path.Base(one.place) + "/"
			if one.File || !strings.Contains(origin.Path+origin.ConfiguredIn, mark) {
				continue
			}
			_, origin.Path, _ = strings.Cut(origin.Path, mark)
			_, origin.ConfiguredIn, _ = strings.Cut(origin.ConfiguredIn, mark)
			origin.Repo, origin.Ref = one.Repo, one.Ref
			if err := resource.SetOrigin(origin); err != nil {
				return err
			}
			break
		}
	}
	return nil
}
