package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"

	"trueup.dev/engines/pipe"
)

// indexName is where the bytes of the index stand among the files of the request.
const indexName = "index.yaml"

// droppedShown is how many of the entries that were left out are told of.
const droppedShown = 10

// indexFile has the fields of the library's repo.IndexFile, under the same strict reading. The package itself is left out:
// it brings the clients of registries along, twenty megabytes that a program without a network has no use for.
type indexFile struct {
	ServerInfo  map[string]any             `json:"serverInfo,omitempty"`
	APIVersion  string                     `json:"apiVersion"`
	Generated   time.Time                  `json:"generated"`
	Entries     map[string][]*indexVersion `json:"entries"`
	PublicKeys  []string                   `json:"publicKeys,omitempty"`
	Annotations map[string]string          `json:"annotations,omitempty"`
}

// indexVersion is one version of a chart, with the fields of repo.ChartVersion.
type indexVersion struct {
	*chart.Metadata
	URLs          []string  `json:"urls"`
	Created       time.Time `json:"created"`
	Removed       bool      `json:"removed,omitempty"`
	Digest        string    `json:"digest,omitempty"`
	Checksum      string    `json:"checksum,omitempty"`
	Engine        string    `json:"engine,omitempty"`
	TillerVersion string    `json:"tillerVersion,omitempty"`
	URL           string    `json:"url,omitempty"`
}

// indexRow is what choosing and fetching a chart needs of a version.
type indexRow struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls,omitempty"`
	Digest  string   `json:"digest,omitempty"`
	// Created is in nanoseconds since 1970, 0 where the index does not say.
	Created int64 `json:"created,omitempty"`
}

type indexResult struct {
	Charts map[string][]indexRow `json:"charts"`
	// Dropped tells of the first entries that were left out because they make no sense.
	Dropped      []string `json:"dropped,omitempty"`
	DroppedCount int      `json:"droppedCount,omitempty"`
}

// index reads a repository's index.yaml by the helm command's rules: JSON or strict YAML; entries that the library
// finds invalid are left out.
func index(_ json.RawMessage, files *pipe.Files) (any, bool, error) {
	file, err := files.Look(indexName, false)
	if err != nil {
		return nil, false, err
	}
	if file.Is != pipe.IsFile {
		return nil, false, &pipe.Problem{Code: "NoIndex", Message: "the request brings no " + indexName}
	}
	loaded, err := readIndex(file.Data)
	if err != nil {
		return nil, false, &pipe.Problem{Code: "InvalidIndex", Message: err.Error(), Path: indexName}
	}
	result := indexResult{Charts: make(map[string][]indexRow, len(loaded.Entries))}
	for _, name := range sortedNames(loaded.Entries) {
		rows := make([]indexRow, 0, len(loaded.Entries[name]))
		for _, each := range loaded.Entries[name] {
			if err := check(each); err != nil {
				result.drop(name, each, err)
				continue
			}
			row := indexRow{Version: each.Version, URLs: each.URLs, Digest: each.Digest}
			if !each.Created.IsZero() {
				row.Created = each.Created.UnixNano()
			}
			rows = append(rows, row)
		}
		result.Charts[name] = rows
	}
	return result, false, nil
}

func readIndex(data []byte) (*indexFile, error) {
	if len(data) == 0 {
		return nil, errors.New("empty index.yaml file")
	}
	loaded := &indexFile{}
	var err error
	if json.Valid(data) {
		err = json.Unmarshal(data, loaded)
	} else {
		err = yaml.UnmarshalStrict(data, loaded)
	}
	if err != nil {
		return nil, err
	}
	if loaded.APIVersion == "" {
		return nil, errors.New("no API version specified")
	}
	return loaded, nil
}

// check is the library's own validation; one finding of it is no reason to leave an entry out of an index.
func check(version *indexVersion) error {
	if version == nil {
		return errors.New("empty entry")
	}
	if version.Metadata == nil {
		version.Metadata = &chart.Metadata{}
	}
	if version.APIVersion == "" {
		version.APIVersion = chart.APIVersionV1
	}
	err := version.Validate()
	var invalid chart.ValidationError
	if errors.As(err, &invalid) && strings.HasPrefix(invalid.Error(), "validation: more than one dependency with name or alias") {
		return nil
	}
	return err
}

func (r *indexResult) drop(name string, version *indexVersion, err error) {
	r.DroppedCount++
	if len(r.Dropped) >= droppedShown {
		return
	}
	said := ""
	if version != nil && version.Metadata != nil {
		said = version.Version
	}
	r.Dropped = append(r.Dropped, fmt.Sprintf("%s %s: %s", name, said, err))
}

func sortedNames(entries map[string][]*indexVersion) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
