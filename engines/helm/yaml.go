package main

import (
	"encoding/json"
	"errors"

	"sigs.k8s.io/yaml"

	"trueup.dev/engines/pipe"
)

type yamlParams struct {
	// Paths name the files of the request, in the order of the answers.
	Paths []string `json:"paths"`
}

type yamlObject struct {
	Object json.RawMessage `json:"object,omitempty"`
	Error  *pipe.Problem   `json:"error,omitempty"`
}

type yamlResult struct {
	Objects []yamlObject `json:"objects"`
}

func problemOf(err error) *pipe.Problem {
	var problem *pipe.Problem
	errors.As(err, &problem)
	return problem
}

// parseYAML gives the JSON of files such as Chart.yaml and values files, read as the library reads them: the last of two
// equal keys counts, and an empty file is null.
func parseYAML(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params yamlParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	result := yamlResult{Objects: make([]yamlObject, 0, len(params.Paths))}
	for _, path := range params.Paths {
		file, err := files.Look(path, false)
		if err != nil {
			return nil, false, err
		}
		if file.Is != pipe.IsFile {
			return nil, false, missingFile(file, path, "file")
		}
		converted, err := yaml.YAMLToJSON(file.Data)
		if err != nil {
			result.Objects = append(result.Objects, yamlObject{Error: problemOf(placed(err, path))})
			continue
		}
		result.Objects = append(result.Objects, yamlObject{Object: converted})
	}
	return result, false, nil
}
