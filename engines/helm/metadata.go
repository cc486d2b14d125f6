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

// definitions gives the CRDs of a chart and its subcharts, which are installed before anything of it is rendered.
func definitions(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params struct {
		Path string `json:"path"`
	}
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	loaded, err := loadChart(files, params.Path)
	if err != nil {
		return nil, false, err
	}
	crds := []document{}
	for _, crd := range loaded.chart.CRDObjects() {
		crds = append(crds, document{Text: string(crd.File.Data), Path: loaded.place(crd.Filename)})
	}
	return map[string]any{"crds": crds}, false, nil
}
