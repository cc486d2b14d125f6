package main

import (
	"crypto/rand"
	"encoding/hex"
	"path"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/load"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/mod/modfile"

	"trueup.dev/engines/pipe"
)

// root is where the Snapshot stands for the library, which knows absolute paths alone. Nothing stands there on the disk
// of any machine, and nobody can guess it: what is not in the overlay does not exist.
var root = func() string {
	var chance [16]byte
	_, _ = rand.Read(chance[:])
	return "/snapshot-" + hex.EncodeToString(chance[:])
}()

const modules = "cue.mod"

// vendored are the directories of a module where packages of other modules may lie.
var vendored = []string{"gen", "usr", "pkg"}

func absolute(relative string) string { return path.Join(root, relative) }

// tree gathers what the library will read: of each package the .cue files of its directory and of those above it up to
// the module's root, which are the same package if they say so; then of every package that those import.
type tree struct {
	files   *pipe.Files
	overlay map[string]load.Source
	roots   map[string]string
	seen    map[string]bool
	modules map[string]string
}

func newTree(files *pipe.Files) *tree {
	return &tree{
		files: files, overlay: map[string]load.Source{}, roots: map[string]string{}, seen: map[string]bool{},
		modules: map[string]string{},
	}
}

// moduleRoot is the nearest directory with a cue.mod in it, or the package's own.
func (t *tree) moduleRoot(package_ string) string {
	if found, ok := t.roots[package_]; ok {
		return found
	}
	return package_
}

// gather looks at one package and, through its imports, at all that it needs.
func (t *tree) gather(start string) error {
	module, found, err := t.findModule(start)
	if err != nil {
		return err
	}
	if !found {
		return t.directory(start, nil)
	}
	t.roots[start] = module
	name, err := t.moduleName(module)
	if err != nil {
		return err
	}
	waiting := []bounded{{start, module}}
	for len(waiting) > 0 {
		next := waiting[0]
		waiting = waiting[1:]
		err := t.upwards(next, func(imported string) {
			waiting = append(waiting, places(imported, module, name)...)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// bounded is a directory, and the one above it (or itself) where looking upwards ends.
type bounded struct{ path, top string }

// places are where an imported package may lie. Packages of the library itself have no dot in their first element.
func places(imported, module, name string) []bounded {
	wanted := ast.ParseImportPath(imported).Path
	own := ast.ParseImportPath(name).Path
	if own != "" && (wanted == own || strings.HasPrefix(wanted, own+"/")) {
		return []bounded{{path.Join(module, strings.TrimPrefix(strings.TrimPrefix(wanted, own), "/")), module}}
	}
	first, _, _ := strings.Cut(wanted, "/")
	if !strings.Contains(first, ".") {
		return nil
	}
	var found []bounded
	for _, folder := range vendored {
		top := path.Join(module, modules, folder)
		found = append(found, bounded{path.Join(top, wanted), top})
	}
	return found
}

func (t *tree) findModule(start string) (string, bool, error) {
	for at := start; ; at = parent(at) {
		file, err := t.files.Look(path.Join(at, modules), false)
		if err != nil {
			return "", false, err
		}
		if file.Is != pipe.IsAbsent {
			return at, true, nil
		}
		if at == "" {
			return "", false, nil
		}
	}
}

// moduleName reads cue.mod/module.cue. What is wrong with it the library says.
func (t *tree) moduleName(module string) (string, error) {
	at := path.Join(module, modules, "module.cue")
	data, err := t.file(at)
	if err != nil || data == nil {
		return "", err
	}
	parsed, err := modfile.ParseNonStrict(data, at)
	if err != nil {
		return "", nil
	}
	return parsed.QualifiedModule(), nil
}

func (t *tree) upwards(from bounded, imports func(string)) error {
	for at := from.path; ; at = parent(at) {
		if err := t.directory(at, imports); err != nil {
			return err
		}
		if at == from.top || at == "" {
			return nil
		}
	}
}

// directory adds the files of one directory; other files than .cue by name alone, for nobody reads them.
func (t *tree) directory(at string, imports func(string)) error {
	if t.seen[at] {
		return nil
	}
	t.seen[at] = true
	listing, err := t.files.Look(at, true)
	if err != nil {
		return err
	}
	switch listing.Is {
	case pipe.IsAbsent, pipe.IsFile:
		return nil
	case pipe.IsRefused:
		return &pipe.Problem{Code: "Refused", Path: at, Message: listing.Why}
	}
	for _, each := range listing.Names {
		below := path.Join(at, each.Name)
		switch {
		case each.Name == modules && each.Is == pipe.IsDirectory:
			if _, err := t.file(path.Join(below, "module.cue")); err != nil {
				return err
			}
		case each.Is != pipe.IsFile:
		case !strings.HasSuffix(each.Name, ".cue"):
			t.overlay[absolute(below)] = load.FromBytes(nil)
		default:
			data, err := t.file(below)
			if err != nil {
				return err
			}
			if imports != nil {
				announce(below, data, imports)
			}
		}
	}
	return nil
}

// file adds a file to what the library sees; nil where there is none.
func (t *tree) file(at string) ([]byte, error) {
	file, err := t.files.Look(at, false)
	if err != nil {
		return nil, err
	}
	switch file.Is {
	case pipe.IsFile:
		t.overlay[absolute(at)] = load.FromBytes(file.Data)
		return file.Data, nil
	case pipe.IsRefused:
		return nil, &pipe.Problem{Code: "Refused", Path: at, Message: file.Why}
	}
	return nil, nil
}

// announce tells what a file imports. One that cannot be parsed is the library's to complain of.
func announce(at string, data []byte, imports func(string)) {
	parsed, err := parser.ParseFile(at, data, parser.ImportsOnly)
	if err != nil {
		return
	}
	for spec := range parsed.ImportSpecs() {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil {
			imports(imported)
		}
	}
}

func parent(at string) string {
	if above := path.Dir(at); above != "." {
		return above
	}
	return ""
}
