package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"trueup.dev/engines/pipe"
)

// keptSets bounds how many compiled sets of modules are kept.
const keptSets = 64

// unsafe are the functions that reach for a network, or tell of this process: no policy may call them.
var unsafe = map[string]struct{}{
	ast.HTTPSend.Name: {}, ast.NetLookupIPAddr.Name: {}, ast.OPARuntime.Name: {},
}

// modulesParams are policies: each a file by its name, and a text. Version is that of the language: v1 (or nothing), v0.
type modulesParams struct {
	Modules []struct {
		Path string `json:"path"`
		Text string `json:"text"`
	} `json:"modules"`
	Version string `json:"version"`
}

var compiled = map[string]*ast.Compiler{}

// check compiles policies and says what is wrong with them.
func check(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params modulesParams
	if err := read(raw, &params); err != nil {
		return nil, false, err
	}
	compiler, err := compile(&params)
	if err != nil {
		return nil, false, err
	}
	answer := checked{Packages: []string{}}
	for _, each := range params.Modules {
		answer.Packages = append(answer.Packages, compiler.Modules[each.Path].Package.Path.String())
	}
	return answer, false, nil
}

// checked names the package of each module, in their order.
type checked struct {
	Packages []string `json:"packages"`
}

// compile gives the same compiler for the same modules.
func compile(params *modulesParams) (*ast.Compiler, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("%x", sha256.Sum256(text))
	if known, ok := compiled[key]; ok {
		return known, nil
	}
	version, err := versionOf(params.Version)
	if err != nil {
		return nil, err
	}
	capabilities := capabilities()
	parsed := make(map[string]*ast.Module, len(params.Modules))
	for _, each := range params.Modules {
		if _, twice := parsed[each.Path]; twice {
			return nil, &pipe.Problem{Code: "BadParams", Path: each.Path, Message: "two modules have this name"}
		}
		module, err := ast.ParseModuleWithOpts(each.Path, each.Text, ast.ParserOptions{
			RegoVersion: version, ProcessAnnotation: true, Capabilities: capabilities,
		})
		if err != nil {
			return nil, explain(err)
		}
		if module == nil {
			return nil, &pipe.Problem{Code: "Failed", Path: each.Path, Message: "there is no package in it"}
		}
		parsed[each.Path] = module
	}
	compiler := ast.NewCompiler().WithUnsafeBuiltins(unsafe).WithCapabilities(capabilities)
	if compiler.Compile(parsed); compiler.Failed() {
		return nil, explain(compiler.Errors)
	}
	if len(compiled) >= keptSets {
		clear(compiled)
	}
	compiled[key] = compiler
	return compiler, nil
}

// capabilities are the library's, with no host that anything may be fetched from.
func capabilities() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	all.AllowNet = []string{}
	return all
}

func versionOf(name string) (ast.RegoVersion, error) {
	switch name {
	case "", "v1":
		return ast.RegoV1, nil
	case "v0":
		return ast.RegoV0, nil
	}
	return ast.RegoUndefined, &pipe.Problem{Code: "BadParams", Message: fmt.Sprintf("there is no version %q of Rego", name)}
}

func read(raw json.RawMessage, params any) error {
	if err := json.Unmarshal(raw, params); err != nil {
		return &pipe.Problem{Code: "BadParams", Message: err.Error()}
	}
	return nil
}
