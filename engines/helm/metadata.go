package main

import (
	"encoding/json"
	"path"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"trueup.dev/engines/pipe"
)

// metadata reads Chart.yaml alone: what a release is compared with before anything is rendered.
func metadata(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params struct {
		Path string `json:"path"`
	}
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	at := path.Join(params.Path, "Chart.yaml")
	file, err := files.Look(at, false)
	if err != nil {
		return nil, false, err
	}
	if file.Is != pipe.IsFile {
		return nil, false, &pipe.Problem{
			Code: "InvalidChart", Path: at, Message: "no chart is here: Chart.yaml: " + refusal(file),
			Hint: "name the directory that holds the chart",
		}
	}
	loaded, err := loader.LoadFiles([]*archive.BufferedFile{{Name: "Chart.yaml", Data: file.Data}})
	if err != nil {
		return nil, false, &pipe.Problem{Code: "InvalidChart", Path: at, Message: err.Error()}
	}
	return struct {
		Metadata *chart.Metadata `json:"metadata"`
	}{loaded.Metadata}, false, nil
}
