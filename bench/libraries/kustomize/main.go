// The floor of a full render: the official library alone, on files of the disk, one directory after another. Plain
// directories are read by the reader that Kubernetes' clients use. Paths come on standard input: `kustomize PATH` or
// `plain PATH`. It prints how many objects there were.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func main() {
	debug.SetGCPercent(400) // as in our engines, so that the floor is as low
	objects := 0
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		kind, path, _ := strings.Cut(lines.Text(), " ")
		read := plain
		if kind == "kustomize" {
			read = build
		}
		found, err := read(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, path, err)
			os.Exit(1)
		}
		objects += found
	}
	fmt.Println(objects)
}

func build(path string) (int, error) {
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		return 0, err
	}
	text, err := resources.AsYaml()
	if len(text) == 0 {
		return 0, err
	}
	return resources.Size(), err
}

func plain(path string) (int, error) {
	names, err := filepath.Glob(filepath.Join(path, "*.yaml"))
	if err != nil {
		return 0, err
	}
	objects := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		for _, document := range strings.Split(string(text), "\n---\n") {
			if _, err := yaml.YAMLToJSONStrict([]byte(document)); err != nil {
				return 0, err
			}
			objects++
		}
	}
	return objects, nil
}
