package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"

	"trueup.dev/engines/pipe"
)

// maxFiles bounds the files of one chart.
const maxFiles = 10_000

var byteOrderMark = []byte{0xEF, 0xBB, 0xBF}

// loadedChart is a chart, and where it stands in the Snapshot.
type loadedChart struct {
	chart *chart.Chart
	root  string
	texts map[string][]byte
	files []*archive.BufferedFile
	// places of dependencies that stand elsewhere, by the names of their charts
	places map[string]string
}

// place is where a template stands: `web/templates/a.yaml` of the chart web is `ROOT/templates/a.yaml`.
func (l *loadedChart) place(name string) string {
	_, below, _ := strings.Cut(name, "/")
	if rest, inside := strings.CutPrefix(below, "charts/"); inside {
		name, inner, _ := strings.Cut(rest, "/")
		if elsewhere, found := l.places[name]; found {
			return path.Join(elsewhere, inner)
		}
	}
	return path.Join(l.root, below)
}

// at is where a file of the chart stands.
func (l *loadedChart) at(name string) string { return path.Join(l.root, name) }

// loadChart reads every file of the directory that .helmignore leaves, as the library does with a directory.
func loadChart(files *pipe.Files, root string) (*loadedChart, error) {
	rules, err := rulesOf(files, root)
	if err != nil {
		return nil, err
	}
	var found []*archive.BufferedFile
	if err := walk(files, rules, root, "", &found); err != nil {
		return nil, err
	}
	return (&loadedChart{root: root}).with(found, nil)
}

// with is the chart of these files at the same place.
func (l *loadedChart) with(found []*archive.BufferedFile, places map[string]string) (*loadedChart, error) {
	loaded := &loadedChart{root: l.root, texts: map[string][]byte{}, files: found, places: places}
	for _, file := range found {
		loaded.texts[file.Name] = file.Data
	}
	var err error
	if loaded.chart, err = loader.LoadFiles(found); err != nil {
		at := l.root
		if text := err.Error(); strings.Contains(text, "Chart.yaml") || strings.Contains(text, "chart.metadata") {
			at = l.at("Chart.yaml")
		}
		return nil, &pipe.Problem{Code: "InvalidChart", Path: at, Message: err.Error()}
	}
	if version := loaded.chart.Metadata.APIVersion; !slices.Contains([]string{"", chart.APIVersionV1, chart.APIVersionV2}, version) {
		return nil, &pipe.Problem{
			Code: "InvalidChart", Path: l.at("Chart.yaml"),
			Message: fmt.Sprintf("invalid chart apiVersion %q: expected v1 or v2", version),
		}
	}
	return loaded, nil
}

// rulesOf reads what the directory's .helmignore leaves out.
func rulesOf(files *pipe.Files, root string) (*ignore.Rules, error) {
	rules := ignore.Empty()
	list, err := files.Look(path.Join(root, ignore.HelmIgnore), false)
	if err != nil {
		return nil, err
	}
	if list.Is == pipe.IsFile {
		if rules, err = ignore.Parse(bytes.NewReader(list.Data)); err != nil {
			return nil, &pipe.Problem{Code: "Failed", Path: path.Join(root, ignore.HelmIgnore), Message: err.Error()}
		}
	}
	rules.AddDefaults()
	return rules, nil
}

func walk(files *pipe.Files, rules *ignore.Rules, root, below string, found *[]*archive.BufferedFile) error {
	directory, err := files.Look(path.Join(root, below), true)
	if err != nil {
		return err
	}
	if directory.Is != pipe.IsDirectory {
		return &pipe.Problem{Code: "Refused", Path: path.Join(root, below), Message: refusal(directory)}
	}
	for _, entry := range directory.Names {
		name := path.Join(below, entry.Name)
		if rules.Ignore(name, info{name: entry.Name, directory: entry.Is == pipe.IsDirectory}) {
			continue
		}
		if entry.Is == pipe.IsDirectory {
			if strings.Count(name, "/") > 50 {
				return &pipe.Problem{Code: "TooDeep", Path: path.Join(root, name), Message: "the directories lie too deep"}
			}
			if err := walk(files, rules, root, name, found); err != nil {
				return err
			}
			continue
		}
		file, err := files.Look(path.Join(root, name), false)
		if err != nil {
			return err
		}
		if file.Is != pipe.IsFile {
			return &pipe.Problem{Code: "Refused", Path: path.Join(root, name), Message: refusal(file)}
		}
		data := bytes.TrimPrefix(file.Data, byteOrderMark)
		if *found = append(*found, &archive.BufferedFile{Name: name, Data: data}); len(*found) > maxFiles {
			return &pipe.Problem{
				Code: "TooMany", Path: root, Message: fmt.Sprintf("the chart has more than %d files", maxFiles),
				Hint: "leave files out with .helmignore",
			}
		}
	}
	return nil
}

func refusal(file *pipe.File) string {
	if file.Why != "" {
		return file.Why
	}
	return "expected a file, found " + file.Is
}

// info is as much of a file as ignore rules look at.
type info struct {
	name      string
	directory bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return 0 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.directory }
func (i info) Sys() any           { return nil }

func (i info) Mode() fs.FileMode {
	if i.directory {
		return fs.ModeDir
	}
	return 0
}
