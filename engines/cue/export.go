package main

import (
	"encoding/json"
	"fmt"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/load"
	"cuelang.org/go/cue/parser"

	"trueup.dev/engines/pipe"
)

// exportParams asks for the Kubernetes objects that a package comes to.
type exportParams struct {
	Path string `json:"path"`
	// Package is needed only where a directory holds several; "_" means files without a package.
	Package string `json:"package"`
	// Expressions are evaluated in the package, each giving objects; none: the package itself.
	Expressions []string `json:"expressions"`
	// Tags are `key=value` or `key`, as `cue export -t` takes them.
	Tags       []string `json:"tags"`
	MaxObjects int      `json:"maxObjects"`
	MaxBytes   int      `json:"maxBytes"`
}

type exported struct {
	Objects []object `json:"objects"`
}

func export(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params exportParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, &pipe.Problem{Code: "BadParams", Message: err.Error()}
	}
	instance, err := loaded(&params, files)
	if err != nil {
		return nil, false, err
	}
	context := cuecontext.New()
	value := context.BuildInstance(instance)
	if err := value.Err(); err != nil {
		return nil, false, explain(err)
	}
	collected := &collector{maxObjects: params.MaxObjects, maxBytes: params.MaxBytes, objects: []object{}}
	if len(params.Expressions) == 0 {
		if err := collected.all(value, ""); err != nil {
			return nil, false, err
		}
	}
	for _, text := range params.Expressions {
		chosen, err := evaluated(value, instance, text)
		if err != nil {
			return nil, false, err
		}
		if err := collected.all(chosen, text); err != nil {
			return nil, false, err
		}
	}
	return exported{collected.objects}, false, nil
}

// loaded is the package with its imports, out of the files that the Snapshot holds.
func loaded(params *exportParams, files *pipe.Files) (*build.Instance, error) {
	tree := newTree(files)
	if err := tree.gather(params.Path); err != nil {
		return nil, err
	}
	instances := load.Instances([]string{"."}, &load.Config{
		Dir:        absolute(params.Path),
		ModuleRoot: absolute(tree.moduleRoot(params.Path)),
		Package:    params.Package,
		Tags:       params.Tags,
		Overlay:    tree.overlay,
		Registry:   noRegistry{},
		Env:        []string{},
	})
	if len(instances) != 1 {
		return nil, &pipe.Problem{
			Code: "Failed", Path: params.Path, Message: fmt.Sprintf("there are %d packages", len(instances)),
			Hint: "name one of them",
		}
	}
	if problem := embeds(instances[0]); problem != nil {
		return nil, problem
	}
	if err := instances[0].Err; err != nil {
		return nil, explain(err)
	}
	return instances[0], nil
}

// evaluated is what `cue export -e` evaluates: an expression in the scope of the package.
func evaluated(value cue.Value, instance *build.Instance, text string) (cue.Value, error) {
	expression, err := parser.ParseExpr("expression", text)
	if err != nil {
		return cue.Value{}, explainExpression(err, text)
	}
	chosen := value.Context().BuildExpr(
		expression, cue.Scope(value), cue.InferBuiltins(true), cue.ImportPath(instance.ID()),
	)
	if err := chosen.Err(); err != nil {
		return cue.Value{}, explainExpression(err, text)
	}
	return chosen, nil
}
