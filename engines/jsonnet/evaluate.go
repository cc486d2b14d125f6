package main

import (
	"encoding/json"
	"fmt"
	"strings"

	jsonnet "github.com/google/go-jsonnet"

	"trueup.dev/engines/pipe"
)

// maxStack bounds recursion: the library's own default, said here because users meet it in an error.
const maxStack = 500

// evaluateParams asks for the values of Jsonnet files.
type evaluateParams struct {
	Paths []string `json:"paths"`
	// Libraries are directories searched, after the importing file's own, in this order.
	Libraries []string   `json:"libraries"`
	ExtVars   []variable `json:"extVars"`
	TopLevel  []variable `json:"topLevel"`
	// SkipMark: files that hold it are left out.
	SkipMark   string `json:"skipMark"`
	MaxObjects int    `json:"maxObjects"`
	MaxBytes   int    `json:"maxBytes"`
}

// variable is a string, or with Code an expression.
type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Code  bool   `json:"code"`
}

// object is one manifest and the file that was evaluated for it.
type object struct {
	JSON json.RawMessage `json:"object"`
	Path string          `json:"path"`
	Line int             `json:"line,omitempty"`
}

type evaluated struct {
	Objects []object `json:"objects"`
}

func evaluate(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params evaluateParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	result := &evaluated{Objects: []object{}}
	total := 0
	for _, path := range params.Paths {
		found, err := evaluateFile(path, &params, files)
		if err != nil {
			return nil, false, err
		}
		result.Objects = append(result.Objects, found...)
		if params.MaxObjects > 0 && len(result.Objects) > params.MaxObjects {
			return nil, false, &pipe.Problem{
				Code: "TooMany", Path: path,
				Message: fmt.Sprintf("there are more than %d objects", params.MaxObjects),
			}
		}
		for _, one := range found {
			total += len(one.JSON)
		}
		if params.MaxBytes > 0 && total > params.MaxBytes {
			return nil, false, &pipe.Problem{
				Code: "TooLarge", Path: path,
				Message: fmt.Sprintf("the objects have more than %d bytes together", params.MaxBytes),
			}
		}
	}
	return result, false, nil
}

// evaluateFile gives each file a machine of its own: what one imports or leaves behind is nothing to another.
func evaluateFile(path string, params *evaluateParams, files *pipe.Files) ([]object, error) {
	importer := newImporter(files, params.Libraries)
	contents, _, err := importer.Import("", path)
	if err != nil {
		return nil, &pipe.Problem{Code: "Refused", Message: err.Error(), Path: path}
	}
	text := contents.String()
	if params.SkipMark != "" && strings.Contains(text, params.SkipMark) {
		return nil, nil
	}
	vm := jsonnet.MakeVM()
	vm.MaxStack = maxStack
	vm.Importer(importer)
	cause := &captured{}
	vm.ErrorFormatter = cause
	for _, each := range params.ExtVars {
		if each.Code {
			vm.ExtCode(each.Name, each.Value)
		} else {
			vm.ExtVar(each.Name, each.Value)
		}
	}
	for _, each := range params.TopLevel {
		if each.Code {
			vm.TLACode(each.Name, each.Value)
		} else {
			vm.TLAVar(each.Name, each.Value)
		}
	}
	value, err := vm.EvaluateFile(path)
	if importer.broken != nil {
		return nil, importer.broken
	}
	if err != nil {
		return nil, explain(cause.err, path)
	}
	return objectsOf(value, path)
}

// objectsOf takes one manifest, a list of manifests, or Lists of them: Argo CD's rule for what a file may give.
func objectsOf(value, path string) ([]object, error) {
	text := strings.TrimSpace(value)
	if strings.HasPrefix(text, "[") {
		var items []json.RawMessage
		if err := json.Unmarshal([]byte(text), &items); err != nil {
			return nil, err
		}
		var found []object
		for index, item := range items {
			if string(item) == "null" {
				continue
			}
			more, err := manifests(item, path, fmt.Sprintf("item %d of its list", index))
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
		return found, nil
	}
	return manifests(json.RawMessage(text), path, "its value")
}

func manifests(raw json.RawMessage, path, what string) ([]object, error) {
	var head struct {
		Kind       *string           `json:"kind"`
		APIVersion *string           `json:"apiVersion"`
		Items      []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.Kind == nil || *head.Kind == "" {
		return nil, &pipe.Problem{
			Code: "NoManifest", Path: path,
			Message: fmt.Sprintf("%s is no Kubernetes object: it has no kind (found %s)", what, shortened(string(raw[:min(len(raw), 80)]))),
			Hint:    "a Jsonnet file gives one manifest or a list of manifests; exclude files that are only imported, or name them .libsonnet",
		}
	}
	if strings.HasSuffix(*head.Kind, "List") && head.Items != nil {
		var found []object
		for index, item := range head.Items {
			more, err := manifests(item, path, fmt.Sprintf("item %d of %s", index, *head.Kind))
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
		return found, nil
	}
	return []object{{JSON: raw, Path: path}}, nil
}
