package main

import (
	"fmt"
	"path"
	"strings"

	jsonnet "github.com/google/go-jsonnet"

	"trueup.dev/engines/pipe"
)

// importer finds what is imported in the Snapshot, as the library's own importer does in a file system: beside the
// importing file first, then in the libraries, the last one first. Every path tried is a look, found or not.
type importer struct {
	files     *pipe.Files
	libraries []string
	contents  map[string]jsonnet.Contents
	// broken: the pipe itself failed, and whatever the library makes of it is no answer.
	broken error
}

func newImporter(files *pipe.Files, libraries []string) *importer {
	return &importer{files: files, libraries: libraries, contents: map[string]jsonnet.Contents{}}
}

func (i *importer) Import(from, wanted string) (jsonnet.Contents, string, error) {
	if path.IsAbs(wanted) {
		return jsonnet.Contents{}, "", fmt.Errorf("import of %q: absolute paths lead outside the repository", wanted)
	}
	folders := []string{path.Dir(from)}
	for index := len(i.libraries) - 1; index >= 0; index-- {
		folders = append(folders, i.libraries[index])
	}
	var refused error
	for _, folder := range folders {
		at := path.Join(folder, wanted)
		contents, found, err := i.read(at)
		if i.broken != nil {
			return jsonnet.Contents{}, "", i.broken
		}
		if found {
			return contents, at, nil
		}
		if err != nil && refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return jsonnet.Contents{}, "", refused
	}
	return jsonnet.Contents{}, "", fmt.Errorf(
		"couldn't open import %q: looked in %s", wanted, strings.Join(shown(folders), ", "))
}

// read gives the same contents for the same path, as the library demands.
func (i *importer) read(at string) (jsonnet.Contents, bool, error) {
	if known, ok := i.contents[at]; ok {
		return known, true, nil
	}
	file, err := i.files.Look(at, false)
	if err != nil {
		i.broken = err
		return jsonnet.Contents{}, false, err
	}
	switch file.Is {
	case pipe.IsFile:
		i.contents[at] = jsonnet.MakeContentsRaw(file.Data)
		return i.contents[at], true, nil
	case pipe.IsAbsent:
		return jsonnet.Contents{}, false, nil
	case pipe.IsDirectory:
		return jsonnet.Contents{}, false, fmt.Errorf("%s is a directory", at)
	default:
		return jsonnet.Contents{}, false, fmt.Errorf("%s: %s", at, file.Why)
	}
}

func shown(folders []string) []string {
	names := make([]string, len(folders))
	for i, folder := range folders {
		names[i] = folder + "/"
		if folder == "." || folder == "" {
			names[i] = "the root of the repository"
		}
	}
	return names
}
