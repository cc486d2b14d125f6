package main

import (
	"context"
	"fmt"

	"cuelang.org/go/cue/build"
	"cuelang.org/go/mod/module"

	"trueup.dev/engines/pipe"
)

// noRegistry is the registry of an engine without a network: there is nothing in it.
type noRegistry struct{}

func (noRegistry) Requirements(_ context.Context, wanted module.Version) ([]module.Version, error) {
	return nil, notHere(wanted.String())
}

func (noRegistry) Fetch(_ context.Context, wanted module.Version) (module.SourceLoc, error) {
	return module.SourceLoc{}, notHere(wanted.String())
}

func (noRegistry) ModuleVersions(_ context.Context, wanted string) ([]string, error) {
	return nil, notHere(wanted)
}

func notHere(wanted string) error {
	return fmt.Errorf("module %s is not in the repository, and no registry is asked: put its packages below cue.mod/pkg", wanted)
}

// embeds says where a package embeds files, which the library reads from a disk alone.
func embeds(instance *build.Instance) *pipe.Problem {
	for _, file := range instance.Files {
		for _, attribute := range fileAttributes(file) {
			if name, _ := attribute.Split(); name == "extern" {
				at := place(attribute.Pos())
				return &pipe.Problem{
					Code: "NotBuiltYet", Path: at.Path, Line: at.Line, Column: at.Column,
					Message: fmt.Sprintf("%s: files and programs cannot be embedded yet", attribute.Text),
					Hint:    "write the data as CUE: cue import",
				}
			}
		}
	}
	return nil
}
