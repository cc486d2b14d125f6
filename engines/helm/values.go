package main

import (
	"bytes"
	"fmt"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"

	"trueup.dev/engines/pipe"
)

// valueParams are the values of a release in the order in which the command merges them: later ones win.
type valueParams struct {
	// ValueFiles are paths in the Snapshot.
	ValueFiles []valueFile `json:"valueFiles"`
	// Values is YAML, merged after the files.
	Values string `json:"values"`
	// Set, SetString and SetFile are `name=value` in the grammar of the flags of those names; a file's value is a path.
	Set       []string  `json:"set"`
	SetString []string  `json:"setString"`
	SetFile   []setFile `json:"setFile"`
}

type valueFile struct {
	Path     string `json:"path"`
	Optional bool   `json:"optional"`
}

type setFile struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

func mergedValues(params *valueParams, files *pipe.Files) (map[string]any, error) {
	base := map[string]any{}
	for _, each := range params.ValueFiles {
		file, err := files.Look(each.Path, false)
		if err != nil {
			return nil, err
		}
		if file.Is == pipe.IsAbsent && each.Optional {
			continue
		}
		if file.Is != pipe.IsFile {
			return nil, missingFile(file, each.Path, "value file")
		}
		values, err := loader.LoadValues(bytes.NewReader(file.Data))
		if err != nil {
			return nil, placed(err, each.Path)
		}
		base = loader.MergeMaps(base, values)
	}
	if params.Values != "" {
		values, err := loader.LoadValues(bytes.NewReader([]byte(params.Values)))
		if err != nil {
			return nil, fmt.Errorf("the values of the resource: %w", err)
		}
		base = loader.MergeMaps(base, values)
	}
	for _, each := range params.Set {
		if err := strvals.ParseInto(each, base); err != nil {
			return nil, fmt.Errorf("failed parsing the parameter %q: %w", each, err)
		}
	}
	for _, each := range params.SetString {
		if err := strvals.ParseIntoString(each, base); err != nil {
			return nil, fmt.Errorf("failed parsing the parameter %q: %w", each, err)
		}
	}
	for _, each := range params.SetFile {
		read := func([]rune) (any, error) {
			file, err := files.Look(each.Path, false)
			if err != nil {
				return nil, err
			}
			if file.Is != pipe.IsFile {
				return nil, missingFile(file, each.Path, "file parameter")
			}
			return string(file.Data), nil
		}
		if err := strvals.ParseIntoFile(each.Name+"=-", base, read); err != nil {
			return nil, err
		}
	}
	return base, nil
}

func missingFile(file *pipe.File, at, what string) error {
	message := fmt.Sprintf("the %s %s does not exist", what, at)
	if file.Is != pipe.IsAbsent {
		message = fmt.Sprintf("the %s %s: %s", what, at, refusal(file))
	}
	return &pipe.Problem{Code: "Missing", Path: at, Message: message}
}
